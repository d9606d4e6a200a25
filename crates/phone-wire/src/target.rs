/// Whom a page calls.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// A name, an id or a number: what is before the `@`.
    pub name: String,
    /// What is behind it, where there is any.
    pub domain: Option<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Target(..)")
    }
}

/// Octets of either part. Those of an address of electronic mail are at most 64 and 255.
const MAX_PART: usize = 255;

impl Target {
    /// Reads what a person writes: `john`, `john@contoso.example`, `sip:john@contoso.example;x=y`, `+1 (201) 555-0123`,
    /// `tel:+12015550123`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = ["sip:", "sips:", "tel:"].into_iter().find_map(|scheme| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        });
        let bare = bare.unwrap_or(text).split([';', '?']).next().unwrap_or_default();
        let (name, domain) = match bare.split_once('@') {
            Some((name, domain)) => (name, Some(domain)),
            None => (bare, None),
        };
        let name = if name.starts_with('+') { number(name) } else { name.to_owned() };
        let is_fit = |part: &str| {
            !part.is_empty()
                && part.len() <= MAX_PART
                && part.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"@<>\"".contains(c))
        };
        (is_fit(&name) && domain.is_none_or(is_fit)).then(|| Self { name, domain: domain.map(str::to_owned) })
    }
}

/// A number without what people put between its digits.
fn number(text: &str) -> String {
    text.chars().filter(|c| !" ()-./\u{a0}".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, Option<String>)> {
        Target::parse(text).map(|target| (target.name, target.domain))
    }

    #[test]
    fn names_addresses_and_numbers_are_read_as_people_write_them() {
        for (text, name, domain) in [
            ("john", "john", None),
            (" john@contoso.example ", "john", Some("contoso.example")),
            ("SIP:john@contoso.example;transport=tcp", "john", Some("contoso.example")),
            (
                "sip:2891555a-92ff-42e6-80fa-6e1300c6b5c6@host:5060",
                "2891555a-92ff-42e6-80fa-6e1300c6b5c6",
                Some("host:5060"),
            ),
            ("+1 (201) 555-0123", "+12015550123", None),
            ("tel:+12015550123", "+12015550123", None),
        ] {
            assert_eq!(parsed(text), Some((name.to_owned(), domain.map(str::to_owned))), "{text}");
        }
    }

    #[test]
    fn what_names_nobody_is_none() {
        for text in [
            "",
            " ",
            "sip:",
            "@contoso.example",
            "john@",
            "a b",
            "a@b@c",
            "<script>",
            "a\r\nb",
            &"a".repeat(256),
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
