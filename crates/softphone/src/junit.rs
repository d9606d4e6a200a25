//! Reports as CI systems read them (JUnit's XML).

use std::fmt::Write as _;
use std::time::Duration;

use crate::report::{Failure, Outcome, Report};

/// Writes a report: a test case for the call itself, and one for each step.
///
/// `name` says what was tested, such as who called whom.
#[must_use]
pub fn write(name: &str, report: &Report) -> String {
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
    let is_of_step = report.steps.iter().any(|step| failed(&step.outcome));
    let not_reached = report.steps.iter().filter(|step| step.outcome == Outcome::NotReached).count();
    let failures = usize::from(report.failure.is_some());
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{not_reached}\" time=\"{}\"",
        report.steps.len() + 1,
        seconds(report.talked.unwrap_or_default()),
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let suite = escape(name);
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>");
    let of_call = report.failure.as_ref().filter(|_| !is_of_step);
    case(&mut xml, &suite, ("the call", report.talked.unwrap_or_default()), Verdict::of(of_call));
    for step in &report.steps {
        let (length, verdict) = match &step.outcome {
            Outcome::Failed { began } => {
                let at = report.failure.as_ref().map_or(*began, |failure| failure.at);
                (at.saturating_sub(*began), Verdict::of(report.failure.as_ref()))
            }
            Outcome::Met { began, ended } => (ended.saturating_sub(*began), Verdict::Passed),
            Outcome::NotReached => (Duration::ZERO, Verdict::Skipped),
        };
        case(&mut xml, &suite, (&step.label, length), verdict);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

enum Verdict<'a> {
    Failed(&'a Failure),
    Passed,
    Skipped,
}

impl<'a> Verdict<'a> {
    fn of(failure: Option<&'a Failure>) -> Self {
        failure.map_or(Self::Passed, Self::Failed)
    }
}

fn case(xml: &mut String, suite: &str, (name, length): (&str, Duration), verdict: Verdict<'_>) {
    let (name, time) = (escape(name), seconds(length));
    let head = format!("    <testcase classname=\"{suite}\" name=\"{name}\" time=\"{time}\"");
    let _ = match verdict {
        Verdict::Failed(failure) => {
            let (message, kind) = (escape(&failure.to_string()), format!("{:?}", failure.kind));
            writeln!(
                xml,
                "{head}>\n      <failure message=\"{message}\" type=\"{kind}\">{message}</failure>\n    </testcase>"
            )
        }
        Verdict::Passed => writeln!(xml, "{head}/>"),
        Verdict::Skipped => writeln!(xml, "{head}>\n      <skipped/>\n    </testcase>"),
    };
}

fn seconds(length: Duration) -> String {
    format!("{:.3}", length.as_secs_f64())
}

/// Text as XML holds it, in elements and in attributes. What XML 1.0 cannot hold at all becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // As they are they would become spaces in attributes.
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(char));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FailureKind, StepReport};

    fn step(label: &str, outcome: Outcome) -> StepReport {
        StepReport { label: label.to_owned(), outcome }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_step_is_a_test_case_and_a_failure_names_the_moment() {
        let failure =
            Failure { kind: FailureKind::Step, at: ms(4_120), text: "heard <nothing> & \"no\"".into() };
        let report = Report {
            steps: vec![
                step("--say 'a & b.wav'", Outcome::Met { began: ms(0), ended: ms(1_500) }),
                step("--expect-tone 440", Outcome::Failed { began: ms(1_500) }),
                step("--dtmf 1#", Outcome::NotReached),
            ],
            failure: Some(failure),
            talked: Some(ms(4_130)),
        };
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<testsuites tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"4.130\">\n  \
<testsuite name=\"john\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"4.130\">\n    \
<testcase classname=\"john\" name=\"the call\" time=\"4.130\"/>\n    \
<testcase classname=\"john\" name=\"--say &apos;a &amp; b.wav&apos;\" time=\"1.500\"/>\n    \
<testcase classname=\"john\" name=\"--expect-tone 440\" time=\"2.620\">\n      \
<failure message=\"failed at 00:04.120: heard &lt;nothing&gt; &amp; &quot;no&quot;\" type=\"Step\">failed at 00:04.120: heard &lt;nothing&gt; &amp; &quot;no&quot;</failure>\n    \
</testcase>\n    \
<testcase classname=\"john\" name=\"--dtmf 1#\" time=\"0.000\">\n      <skipped/>\n    </testcase>\n  \
</testsuite>\n</testsuites>\n";
        assert_eq!(write("john", &report), expected);
    }

    #[test]
    fn a_call_that_was_never_answered_fails_by_itself() {
        let failure = Failure { kind: FailureKind::Refused, at: ms(10), text: "busy (486)".into() };
        let steps = vec![step("--dtmf 1#", Outcome::NotReached)];
        let xml = write("x", &Report { steps, failure: Some(failure), talked: None });
        assert!(xml.contains(
            "name=\"the call\" time=\"0.000\">\n      <failure message=\"failed at 00:00.010: busy (486)\""
        ));
        assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\""));
    }

    #[test]
    fn text_of_any_kind_stays_well_formed() {
        assert_eq!(
            escape("a\u{0}b\u{1b}[31m]]>\n'\u{ffff}ü"),
            "a\u{fffd}b\u{fffd}[31m]]&gt;&#10;&apos;\u{fffd}ü"
        );
    }
}
