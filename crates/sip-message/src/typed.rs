//! Header fields read as what they mean.

use std::fmt;
use std::str::FromStr;

use crate::{Headers, Method, NameAddr, Params, Via, lex};

/// What is wrong with a header field that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The value does not follow its grammar or is out of range.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A mandatory field is absent.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A field that may occur once occurs several times (RFC 3261, 7.3.1).
    #[error("repeated {0}")]
    Repeated(&'static str),
}

/// A CSeq value. The number is below 2^31 (RFC 3261, 8.1.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The sequence number.
    pub seq: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// A CSeq value.
    pub fn new(seq: u32, method: Method) -> Self {
        Self { seq, method }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

impl FromStr for CSeq {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let malformed = HeaderError::Malformed("CSeq");
        let (seq, method) = text.split_once([' ', '\t']).ok_or(malformed)?;
        let seq = lex::number(seq).filter(|seq| *seq < 1 << 31).ok_or(malformed)?;
        let method = lex::trim(method).parse().map_err(|_| malformed)?;
        Ok(Self { seq, method })
    }
}

/// Who refreshes a session (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The user agent client of the request.
    Uac,
    /// The user agent server of the request.
    Uas,
}

/// A Session-Expires value (RFC 4028, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub delta_seconds: u32,
    /// Who refreshes, when that is said.
    pub refresher: Option<Refresher>,
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.delta_seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// What the Contact fields of a message hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// The addresses, possibly none.
    List(Vec<NameAddr>),
    /// `*`, which removes all bindings in a REGISTER.
    Star,
}

/// A Reason value (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The protocol whose cause it is, such as `SIP` or `Q.850`.
    pub protocol: String,
    /// The cause in that protocol.
    pub cause: Option<u16>,
    /// The text for people.
    pub text: Option<String>,
}

impl Headers {
    /// The first Via value.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        let first = self.get("Via").ok_or(HeaderError::Missing("Via"))?;
        let value = lex::elements(first).next().unwrap_or_default();
        value.parse().map_err(|_| HeaderError::Malformed("Via"))
    }

    /// All Via values, the top one first; at least one.
    ///
    /// # Errors
    /// When there is none or one is malformed.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        let vias: Vec<Via> = self.list("Via")?;
        if vias.is_empty() {
            return Err(HeaderError::Missing("Via"));
        }
        Ok(vias)
    }

    /// From.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.address("From")
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.address("To")
    }

    /// Adds or replaces the tag of To, as a user agent server does.
    ///
    /// # Errors
    /// When To is missing, repeated or malformed.
    pub fn set_to_tag(&mut self, tag: &str) -> Result<(), HeaderError> {
        let to = self.to()?.with_tag(tag);
        self.set("To", &to);
        Ok(())
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it is missing, repeated or not one word.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let value = self.single("Call-ID")?.ok_or(HeaderError::Missing("Call-ID"))?;
        if value.is_empty() || value.contains([' ', '\t', ',']) {
            return Err(HeaderError::Malformed("Call-ID"));
        }
        Ok(value)
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.single("CSeq")?.ok_or(HeaderError::Missing("CSeq"))?.parse()
    }

    /// Max-Forwards, which peers of RFC 2543 leave out.
    ///
    /// # Errors
    /// When it is repeated or not a number up to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.number("Max-Forwards")
    }

    /// Content-Length in octets.
    ///
    /// # Errors
    /// When it is repeated or not a number.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        self.number("Content-Length")
    }

    /// Content-Type, as it stands.
    ///
    /// # Errors
    /// When it is repeated.
    pub fn content_type(&self) -> Result<Option<&str>, HeaderError> {
        self.single("Content-Type")
    }

    /// Expires in seconds.
    ///
    /// # Errors
    /// When it is repeated or not a number below 2^32.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number("Expires")
    }

    /// Min-Expires in seconds.
    ///
    /// # Errors
    /// When it is repeated or not a number below 2^32.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number("Min-Expires")
    }

    /// The first Contact address; `None` for none and for `*`.
    ///
    /// # Errors
    /// When a Contact is malformed.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        match self.contacts()? {
            Contacts::List(list) => Ok(list.into_iter().next()),
            Contacts::Star => Ok(None),
        }
    }

    /// All Contact addresses.
    ///
    /// # Errors
    /// When one is malformed or `*` is not alone.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        let mut all = self.get_all("Contact");
        if all.next() == Some("*") {
            return match all.next() {
                None => Ok(Contacts::Star),
                Some(_) => Err(HeaderError::Malformed("Contact")),
            };
        }
        let list: Vec<NameAddr> = self.list("Contact")?;
        let valid =
            list.iter().all(|contact| contact.params.get("expires").is_none() || contact.expires().is_some());
        if !valid {
            return Err(HeaderError::Malformed("Contact"));
        }
        Ok(Contacts::List(list))
    }

    /// Route addresses, the next hop first.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list("Route")
    }

    /// Record-Route addresses, the last hop first.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list("Record-Route")
    }

    /// The option tags of Require.
    pub fn require(&self) -> Vec<&str> {
        self.tokens("Require")
    }

    /// The option tags of Supported.
    pub fn supported(&self) -> Vec<&str> {
        self.tokens("Supported")
    }

    /// The methods of Allow; what is not a token is left out.
    pub fn allow(&self) -> Vec<Method> {
        let tokens = self.tokens("Allow").into_iter();
        tokens.filter_map(|token| token.parse().ok()).collect()
    }

    /// The non-empty elements of a comma-separated field.
    pub fn tokens<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.get_all(name).flat_map(lex::elements).filter(|token| !token.is_empty()).collect()
    }

    /// Session-Expires (RFC 4028).
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        let malformed = HeaderError::Malformed("Session-Expires");
        let Some((delta_seconds, params)) = self.seconds("Session-Expires")? else {
            return Ok(None);
        };
        let refresher = match params.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(malformed),
        };
        Ok(Some(SessionExpires { delta_seconds, refresher }))
    }

    /// Min-SE in seconds (RFC 4028).
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        Ok(self.seconds("Min-SE")?.map(|(seconds, _)| seconds))
    }

    /// Retry-After in seconds, without its comment and parameters.
    pub fn retry_after(&self) -> Option<u32> {
        let (digits, _) = lex::take_while(self.get("Retry-After")?, |byte| byte.is_ascii_digit());
        lex::number(digits)
    }

    /// The Reason values that follow their grammar (RFC 3326).
    pub fn reasons(&self) -> Vec<Reason> {
        self.get_all("Reason").flat_map(lex::elements).filter_map(reason).collect()
    }

    /// A field that may occur once.
    pub(crate) fn single(&self, name: &'static str) -> Result<Option<&str>, HeaderError> {
        let mut all = self.get_all(name);
        let first = all.next();
        match all.next() {
            Some(_) => Err(HeaderError::Repeated(name)),
            None => Ok(first),
        }
    }

    pub(crate) fn address(&self, name: &'static str) -> Result<NameAddr, HeaderError> {
        self.single(name)?
            .ok_or(HeaderError::Missing(name))?
            .parse()
            .map_err(|_| HeaderError::Malformed(name))
    }

    pub(crate) fn number<N: FromStr>(&self, name: &'static str) -> Result<Option<N>, HeaderError> {
        self.single(name)?.map(|value| lex::number(value).ok_or(HeaderError::Malformed(name))).transpose()
    }

    fn seconds(&self, name: &'static str) -> Result<Option<(u32, Params)>, HeaderError> {
        let Some(value) = self.single(name)? else {
            return Ok(None);
        };
        let (digits, rest) = lex::take_while(value, |byte| byte.is_ascii_digit());
        match (lex::number(digits), Params::parse(rest)) {
            (Some(seconds), Some(params)) => Ok(Some((seconds, params))),
            (None, _) | (_, None) => Err(HeaderError::Malformed(name)),
        }
    }

    pub(crate) fn list<T: FromStr>(&self, name: &'static str) -> Result<Vec<T>, HeaderError> {
        self.get_all(name)
            .flat_map(lex::elements)
            .map(|element| element.parse().map_err(|_| HeaderError::Malformed(name)))
            .collect()
    }
}

fn reason(text: &str) -> Option<Reason> {
    let (protocol, rest) = lex::take_while(text, lex::is_token_byte);
    let params = Params::parse(rest)?;
    (!protocol.is_empty()).then(|| Reason {
        protocol: protocol.to_owned(),
        cause: params.get("cause").and_then(lex::number),
        text: params.unquoted("text"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn lists_are_read_across_fields_and_commas() {
        let headers = headers(&[
            ("Route", "<sip:a;lr>, <sip:b>"),
            ("Route", "\"c,d\" <sip:c>"),
            ("k", "timer , 100rel"),
            ("Supported", ""),
            ("Allow", "INVITE,NEW,b@d"),
        ]);

        assert_eq!(headers.routes().unwrap().len(), 3);
        assert_eq!(headers.supported(), ["timer", "100rel"]);
        assert_eq!(headers.allow(), [Method::Invite, Method::Other("NEW".into())]);
        assert_eq!(headers.require(), Vec::<&str>::new());
    }

    #[test]
    fn a_star_contact_stands_alone() {
        let star = headers(&[("m", "*")]);
        let mixed = headers(&[("m", "*"), ("Contact", "<sip:h>")]);

        assert_eq!(star.contacts(), Ok(Contacts::Star));
        assert_eq!(star.contact(), Ok(None));
        assert_eq!(mixed.contacts(), Err(HeaderError::Malformed("Contact")));
        assert_eq!(Headers::new().contacts(), Ok(Contacts::List(Vec::new())));
    }

    #[test]
    fn session_timers_are_read_and_written() {
        let headers = headers(&[("x", "1800 ;refresher=UAS"), ("Min-SE", "90;x=y")]);

        let interval = headers.session_expires().unwrap().unwrap();
        assert_eq!(interval.to_string(), "1800;refresher=uas");
        assert_eq!(headers.min_se(), Ok(Some(90)));
        let bad = self::headers(&[("x", "1800;refresher=me")]);
        assert_eq!(bad.session_expires(), Err(HeaderError::Malformed("Session-Expires")));
    }

    #[test]
    fn reasons_are_read() {
        let headers = headers(&[("Reason", "Q.850;cause=16;text=\"Normal, clearing\", SIP ;cause=200, ;x")]);

        let reasons = headers.reasons();

        assert_eq!(reasons.len(), 2);
        assert_eq!((reasons[0].protocol.as_str(), reasons[0].cause), ("Q.850", Some(16)));
        assert_eq!(reasons[0].text.as_deref(), Some("Normal, clearing"));
        assert_eq!(reasons[1].cause, Some(200));
    }

    #[test]
    fn sequence_numbers_stay_below_two_to_the_31() {
        assert_eq!("2147483647 ACK".parse(), Ok(CSeq::new(2_147_483_647, Method::Ack)));
        for text in ["2147483648 ACK", "-1 ACK", "1", "1 A B", "1ACK", ""] {
            assert_eq!(text.parse::<CSeq>(), Err(HeaderError::Malformed("CSeq")), "{text}");
        }
    }

    #[test]
    fn missing_and_repeated_fields_are_told_apart() {
        let twice = headers(&[("f", "<sip:a>"), ("From", "<sip:b>")]);

        assert_eq!(twice.from(), Err(HeaderError::Repeated("From")));
        assert_eq!(twice.to(), Err(HeaderError::Missing("To")));
        assert_eq!(twice.vias(), Err(HeaderError::Missing("Via")));
    }

    #[test]
    fn the_first_digits_of_retry_after_count() {
        assert_eq!(headers(&[("Retry-After", "18 (soon);duration=3")]).retry_after(), Some(18));
        assert_eq!(headers(&[("Retry-After", "99999999999")]).retry_after(), None);
    }
}
