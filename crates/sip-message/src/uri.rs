//! SIP, SIPS and other URIs (RFC 3261, 19.1).

use std::fmt;
use std::str::FromStr;

use crate::escape::{canonical, decode, encode, is_escaped};
use crate::host::{Host, host_port};
use crate::lex;
use crate::params::{MOST_PARAMS, Params};

/// The scheme of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel` (RFC 3966); the rest of the URI is opaque here.
    Tel,
    /// Any other scheme, in lower case; the rest of the URI is opaque.
    Other(String),
}

impl Scheme {
    /// The scheme in lower case, without the colon.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(scheme) => scheme,
        }
    }
}

/// A URI as SIP uses them. The written form is kept, so that what was received is written back unchanged;
/// `==` compares that form, and [`Uri::equivalent`] compares as RFC 3261, 19.1.4 wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    scheme: Scheme,
    user: Option<String>,
    password: Option<String>,
    host: Option<Host>,
    port: Option<u16>,
    params: Params,
    headers: Vec<(String, String)>,
    opaque: String,
}

impl Uri {
    /// `sip:user@host`; octets of the user that need it are escaped. An empty user is left out.
    pub fn sip(user: &str, host: impl Into<Host>) -> Self {
        let user = (!user.is_empty()).then(|| encode(user, is_user_byte));
        Self { scheme: Scheme::Sip, user, host: Some(host.into()), ..Self::empty(Scheme::Sip) }
    }

    /// `tel:` and a `telephone-subscriber` (RFC 3966, 3) that is already in written form.
    pub(crate) fn tel(subscriber: &str) -> Self {
        Self { opaque: subscriber.to_owned(), ..Self::empty(Scheme::Tel) }
    }

    /// The same URI with another port.
    #[must_use]
    pub fn with_port(mut self, port: Option<u16>) -> Self {
        self.port = port;
        self
    }

    /// The same URI with a parameter set; octets of the value that need it are escaped.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        let name = encode(name, is_param_byte);
        self.params.put(&name, value.map(|value| encode(value, is_param_byte)));
        self
    }

    /// The same URI with one more header field after `?`; octets that need it are escaped. Only SIP and SIPS URIs
    /// have such fields, others stay.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if self.host.is_some() && !name.is_empty() {
            self.headers.push((encode(name, is_header_byte), encode(value, is_header_byte)));
        }
        self
    }

    /// The same URI with `sips` for `sip` or the reverse; other schemes stay.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        if self.host.is_some() {
            self.scheme = if secure { Scheme::Sips } else { Scheme::Sip };
        }
        self
    }

    /// The URI without parameters and headers that may not stand in a Request-URI or an address of record
    /// (RFC 3261, 10.3, step 5).
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        bare.params = Params::new();
        bare.headers.clear();
        bare
    }

    /// The URI without the header fields after `?`, as a Request-URI needs it.
    #[must_use]
    pub fn without_headers(mut self) -> Self {
        self.headers.clear();
        self
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether it is a SIP or SIPS URI.
    pub fn is_sip(&self) -> bool {
        self.host.is_some()
    }

    /// The user part, unescaped; octets that are not UTF-8 are replaced.
    pub fn user(&self) -> Option<String> {
        self.user.as_deref().map(decode)
    }

    /// The user part as written.
    pub fn raw_user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password as written.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The host; `None` for schemes other than `sip` and `sips`.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI parameters as written.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// One parameter's value, unescaped.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params.get(name).map(decode)
    }

    /// The header fields after `?`, unescaped.
    pub fn headers(&self) -> impl Iterator<Item = (String, String)> {
        self.headers.iter().map(|(name, value)| (decode(name), decode(value)))
    }

    /// Whether there are header fields after `?`, which a Request-URI may not have.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// What follows the scheme of a URI that is neither `sip` nor `sips`.
    pub fn opaque(&self) -> Option<&str> {
        self.host.is_none().then_some(self.opaque.as_str())
    }

    /// Whether both mean the same resource (RFC 3261, 19.1.4). Not transitive, which is why it is not `==`.
    pub fn equivalent(&self, other: &Self) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        if self.host.is_none() {
            return self.opaque == other.opaque;
        }
        let same_part = |a: &Option<String>, b: &Option<String>| {
            a.as_deref().map(canonical) == b.as_deref().map(canonical)
        };
        same_part(&self.user, &other.user)
            && same_part(&self.password, &other.password)
            && self.host == other.host
            && self.port == other.port
            && params_match(&self.params, &other.params)
            && params_match(&other.params, &self.params)
            && self.headers.len() == other.headers.len()
            && headers_match(&self.headers, &other.headers)
            && headers_match(&other.headers, &self.headers)
    }

    fn empty(scheme: Scheme) -> Self {
        Self {
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Params::new(),
            headers: Vec::new(),
            opaque: String::new(),
        }
    }
}

/// These parameters must be in both URIs or in neither; the list follows the rules of 19.1.4 and, for `transport`,
/// its examples.
const DECISIVE_PARAMS: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn params_match(these: &Params, those: &Params) -> bool {
    these.iter().all(|(name, value)| {
        let fold = |value: Option<&str>| value.map(|value| canonical(value).to_ascii_lowercase());
        if those.has(name) {
            fold(value) == fold(those.get(name))
        } else {
            !DECISIVE_PARAMS.iter().any(|decisive| decisive.eq_ignore_ascii_case(name))
        }
    })
}

fn headers_match(these: &[(String, String)], those: &[(String, String)]) -> bool {
    these.iter().all(|(name, value)| {
        those.iter().any(|(other, content)| {
            canonical(name).eq_ignore_ascii_case(&canonical(other)) && canonical(value) == canonical(content)
        })
    })
}

/// The text is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed URI")]
pub struct InvalidUri;

impl FromStr for Uri {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, InvalidUri> {
        parse(text).ok_or(InvalidUri)
    }
}

fn parse(text: &str) -> Option<Uri> {
    let (scheme, rest) = text.split_once(':')?;
    let scheme = parse_scheme(scheme)?;
    match scheme {
        Scheme::Sip | Scheme::Sips => parse_sip(scheme, rest),
        Scheme::Tel | Scheme::Other(_) => {
            // Visible ASCII without the delimiters of name-addr (RFC 3986, appendix C).
            let valid =
                rest.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'<' | b'>' | b'"'));
            (valid && !rest.is_empty()).then(|| Uri { opaque: rest.to_owned(), ..Uri::empty(scheme) })
        }
    }
}

fn parse_scheme(text: &str) -> Option<Scheme> {
    if text.eq_ignore_ascii_case("sip") {
        return Some(Scheme::Sip);
    }
    if text.eq_ignore_ascii_case("sips") {
        return Some(Scheme::Sips);
    }
    if text.eq_ignore_ascii_case("tel") {
        return Some(Scheme::Tel);
    }
    let valid = text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then(|| Scheme::Other(text.to_ascii_lowercase()))
}

fn parse_sip(scheme: Scheme, text: &str) -> Option<Uri> {
    let mut uri = Uri::empty(scheme);
    let rest = match text.split_once('@') {
        Some((userinfo, rest)) => {
            let (user, password) = match userinfo.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (userinfo, None),
            };
            if user.is_empty() || !is_escaped(user, is_user_byte) {
                return None;
            }
            if !password.is_none_or(|password| is_escaped(password, is_password_byte)) {
                return None;
            }
            uri.user = Some(user.to_owned());
            uri.password = password.map(str::to_owned);
            rest
        }
        None => text,
    };
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let mut parts = rest.split(';');
    let (host, port) = host_port(parts.next()?, false)?;
    (uri.host, uri.port) = (Some(host), port);
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        };
        if !is_escaped(name, is_param_byte)
            || !value.is_none_or(|value| !value.is_empty() && is_escaped(value, is_param_byte))
        {
            return None;
        }
        uri.params.push_new(name, value.map(str::to_owned))?;
    }
    for header in headers.into_iter().flat_map(|headers| headers.split('&')) {
        let (name, value) = header.split_once('=')?;
        if name.is_empty() || !is_escaped(name, is_header_byte) || !is_escaped(value, is_header_byte) {
            return None;
        }
        if uri.headers.len() >= MOST_PARAMS {
            return None;
        }
        uri.headers.push((name.to_owned(), value.to_owned()));
    }
    Some(uri)
}

fn is_user_byte(byte: u8) -> bool {
    lex::is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

fn is_password_byte(byte: u8) -> bool {
    lex::is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')
}

fn is_param_byte(byte: u8) -> bool {
    lex::is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

fn is_header_byte(byte: u8) -> bool {
    lex::is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        let Some(host) = &self.host else {
            return f.write_str(&self.opaque);
        };
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{host}")?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        for (at, (name, value)) in self.headers.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_equivalent_uris_of_the_rfc_are_equivalent() {
        let pairs = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ];

        for (a, b) in pairs {
            assert!(uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn the_different_uris_of_the_rfc_are_different() {
        let pairs = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:a%2Cb@h", "sip:a,b@h"),
        ];

        for (a, b) in pairs {
            assert!(!uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn every_part_is_read_and_written_back() {
        let text = "sips:a%20b:pw@[2001:db8::1]:5061;lr;x=%41?Route=%3Csip:h%3E&a=";

        let uri = uri(text);

        assert_eq!(uri.user().as_deref(), Some("a b"));
        assert_eq!(uri.password(), Some("pw"));
        assert_eq!(uri.port(), Some(5061));
        assert_eq!(uri.param("X").as_deref(), Some("A"));
        assert_eq!(uri.headers().next(), Some(("Route".into(), "<sip:h>".into())));
        assert_eq!(uri.to_string(), text);
        assert_eq!(uri.bare().to_string(), "sips:a%20b:pw@[2001:db8::1]:5061");
        assert_eq!(uri.without_headers().to_string(), "sips:a%20b:pw@[2001:db8::1]:5061;lr;x=%41");
    }

    #[test]
    fn other_schemes_are_kept_as_they_are() {
        let tel = uri("tel:+1-201-555-0123;phone-context=example.com");

        assert_eq!(tel.opaque(), Some("+1-201-555-0123;phone-context=example.com"));
        assert_eq!((tel.scheme(), tel.host(), tel.is_sip()), (&Scheme::Tel, None, false));
        assert_eq!(uri("HTTP://x/").to_string(), "http://x/");
    }

    #[test]
    fn malformed_uris_are_refused() {
        let malformed = [
            "",
            "sip",
            "sip:",
            "sip:@h",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@h",
            "sip:h:",
            "sip:h:65536",
            "sip:h:x",
            "sip:%4@h",
            "sip:%zz@h",
            "sip:h;",
            "sip:h;a=",
            "sip:h;a;A",
            "sip:h?",
            "sip:h?a",
            "sip:a\r\n@h",
            "sip:2001:db8::10:5070",
            "sip:[::1",
            "sip:[::1]x",
            "<sip:h>",
            " sip:h",
            "1x:y",
            "tel:",
            "x:a b",
            "x:a>",
            "sip:ä@h",
        ];

        for text in malformed {
            assert_eq!(text.parse::<Uri>(), Err(InvalidUri), "{text}");
        }
    }

    #[test]
    fn a_uri_of_ours_is_escaped() {
        let uri = Uri::sip("a b@ü", Host::Name("h".into())).with_param("p", Some("x;y"));

        assert_eq!(uri.to_string(), "sip:a%20b%40%C3%BC@h;p=x%3By");
        assert_eq!(uri.user().as_deref(), Some("a b@ü"));
        assert_eq!(uri.param("p").as_deref(), Some("x;y"));
    }
}
