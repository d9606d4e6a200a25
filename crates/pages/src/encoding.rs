use http::HeaderValue;

/// Which of our encodings a client accepts (RFC 9110, 12.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) br: bool,
    pub(crate) gzip: bool,
}

impl Accepted {
    /// By an `Accept-Encoding`; without one nothing is encoded. Preferences among encodings are not looked at: the smaller
    /// form serves everybody.
    pub(crate) fn by(header: Option<&HeaderValue>) -> Self {
        let listed = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let weight = |name: &str| {
            listed
                .split(',')
                .map(parsed)
                .find(|(coding, _)| coding.eq_ignore_ascii_case(name))
                .map(|(_, is)| is)
        };
        let any = weight("*").unwrap_or(false);
        Self { br: weight("br").unwrap_or(any), gzip: weight("gzip").unwrap_or(any) }
    }
}

/// A coding, and whether its weight is more than none.
fn parsed(item: &str) -> (&str, bool) {
    let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().strip_prefix("q=").map(|weight| weight.trim().parse::<f32>());
    (coding.trim(), weight.is_none_or(|weight| weight.is_ok_and(|weight| weight > 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_read_with_weights_and_wildcards() {
        let cases = [
            ("gzip, deflate, br, zstd", true, true),
            ("GZIP", false, true),
            ("br;q=0.5, gzip;q=0", true, false),
            ("br; q=0.000", false, false),
            ("*", true, true),
            ("*;q=0, br", true, false),
            ("identity", false, false),
            ("br;q=x", false, false),
            ("", false, false),
        ];
        for (header, br, gzip) in cases {
            let value = HeaderValue::from_static(header);
            assert_eq!(Accepted::by(Some(&value)), Accepted { br, gzip }, "{header}");
        }
        assert_eq!(Accepted::by(None), Accepted { br: false, gzip: false });
    }
}
