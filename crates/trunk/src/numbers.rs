//! Numbers as each trunk wants and sends them.

use model::{CallerForm, NumberRule, PhoneNumber, Trunk};

/// The longest text that is looked at as a number: one with a way out, separators and parameters.
const MAX_RECEIVED: usize = 64;

/// The longest number as it is dialled: what a rule puts in front, and a whole number behind it.
const MAX_DIALLED: usize = NumberRule::MAX_LENGTH + PhoneNumber::MAX_DIGITS + 1;

/// How a trunk wants the number written that is called.
pub fn called(trunk: &Trunk, number: &PhoneNumber) -> String {
    by_rules(&trunk.outgoing_rules, number.as_str())
}

/// How a trunk wants the number written that calls.
pub fn caller(trunk: &Trunk, number: &PhoneNumber) -> String {
    match trunk.caller_form {
        CallerForm::ByRules => called(trunk, number),
        CallerForm::Digits => number.digits().to_owned(),
        CallerForm::E164 => number.as_str().to_owned(),
    }
}

/// The number that a trunk means by `text`, the user part of a URI of its; `None` where it is none. Nothing is allocated.
pub fn received(trunk: &Trunk, text: &str) -> Option<PhoneNumber> {
    let text = text.split(';').next().unwrap_or_default();
    if text.len() > MAX_RECEIVED {
        return None;
    }
    let mut written = Text::<MAX_RECEIVED>::default();
    for byte in text.bytes().filter(|byte| !b"-.() ".contains(byte)) {
        written.push(byte)?;
    }
    let written = written.as_str()?;
    let Some(rule) = fitting(&trunk.incoming_rules, written) else { return PhoneNumber::parse(written).ok() };
    let mut changed = Text::<MAX_DIALLED>::default();
    let rest = written.get(rule.from.len()..)?;
    for byte in rule.to.bytes().chain(rest.bytes()) {
        changed.push(byte)?;
    }
    PhoneNumber::parse(changed.as_str()?).ok()
}

fn by_rules(rules: &[NumberRule], text: &str) -> String {
    match fitting(rules, text) {
        Some(rule) => format!("{}{}", rule.to, text.get(rule.from.len()..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Of the rules that fit, the one with the longest beginning, then the one that says how many digits there are.
fn fitting<'a>(rules: &'a [NumberRule], text: &str) -> Option<&'a NumberRule> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let has_digits = |rule: &NumberRule| rule.digits.is_none_or(|wanted| usize::from(wanted) == digits);
    let fitting = rules.iter().filter(|rule| text.starts_with(&rule.from) && has_digits(rule));
    fitting.max_by_key(|rule| (rule.from.len(), rule.digits.is_some()))
}

/// A short text without an allocation.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Text<N> {
    /// Adds a byte; `None` where there is no room.
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }

    /// The text; `None` where it is none.
    fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}
