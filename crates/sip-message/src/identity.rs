//! Who calls, as networks tell each other: asserted and preferred identities (RFC 3325), privacy (RFC 3323), and the
//! Remote-Party-ID that came before them (draft-ietf-sip-privacy-04), which is only read.

use std::fmt;
use std::str::FromStr;

use crate::{HeaderError, Headers, Host, NameAddr, Scheme, Uri, lex};

/// The host of an address that names nobody (RFC 3323, 4.1.1.3).
const NOWHERE: &str = "anonymous.invalid";

impl NameAddr {
    /// The From of a caller who stays anonymous (RFC 3323, 4.1.1.3).
    pub fn anonymous() -> Self {
        let uri = Uri::sip("anonymous", Host::Name(NOWHERE.to_owned()));
        Self { display: Some("Anonymous".to_owned()), ..Self::new(uri) }
    }

    /// Whether it names nobody: the host of [`Self::anonymous`], or the user that networks put in the place of one.
    pub fn is_anonymous(&self) -> bool {
        let nowhere = matches!(self.uri.host(), Some(Host::Name(name)) if name.eq_ignore_ascii_case(NOWHERE));
        nowhere || self.uri.user().is_some_and(|user| user.eq_ignore_ascii_case("anonymous"))
    }
}

/// One value of a Privacy field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivacyValue {
    /// The request fails rather than go without what is asked (RFC 3323, 4.2).
    Critical,
    /// Headers that tell where the sender is are to be removed (RFC 3323).
    Header,
    /// History-Info is to be removed (RFC 7044).
    History,
    /// The asserted identity stays among those who trust each other (RFC 3325, 9.3).
    Id,
    /// Nothing is to be hidden, whatever a profile says (RFC 3323).
    None,
    /// The session description is to be made anonymous (RFC 3323).
    Session,
    /// Headers that tell who the sender is are to be removed (RFC 3323).
    User,
    /// Any other token, in lower case.
    Other(String),
}

impl PrivacyValue {
    fn as_str(&self) -> &str {
        match self {
            Self::Critical => "critical",
            Self::Header => "header",
            Self::History => "history",
            Self::Id => "id",
            Self::None => "none",
            Self::Session => "session",
            Self::User => "user",
            Self::Other(value) => value,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = lex::trim(text).to_ascii_lowercase();
        Some(match text.as_str() {
            "critical" => Self::Critical,
            "header" => Self::Header,
            "history" => Self::History,
            "id" => Self::Id,
            "none" => Self::None,
            "session" => Self::Session,
            "user" => Self::User,
            _ => return lex::is_token(&text).then_some(Self::Other(text)),
        })
    }
}

/// A Privacy value (RFC 3323, 4.2): at least one value, and `none` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy(Vec<PrivacyValue>);

impl Privacy {
    /// The caller's identity is for those who trust each other alone.
    pub fn id() -> Self {
        Self(vec![PrivacyValue::Id])
    }

    /// Whether it asks for this.
    pub fn has(&self, value: &PrivacyValue) -> bool {
        self.0.contains(value)
    }

    /// Whether the callee is not to learn who calls.
    pub fn hides_caller(&self) -> bool {
        let hides = |value: &PrivacyValue| {
            matches!(value, PrivacyValue::Header | PrivacyValue::Id | PrivacyValue::User)
        };
        self.0.iter().any(hides)
    }
}

impl FromStr for Privacy {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let malformed = HeaderError::Malformed("Privacy");
        let values: Option<Vec<_>> = text.split(';').map(PrivacyValue::parse).collect();
        let values = values.ok_or(malformed)?;
        let contradicts = values.len() > 1 && values.contains(&PrivacyValue::None);
        if contradicts { Err(malformed) } else { Ok(Self(values)) }
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            let mark = if at == 0 { "" } else { ";" };
            write!(f, "{mark}{}", value.as_str())?;
        }
        Ok(())
    }
}

/// A Remote-Party-ID value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteParty {
    /// The party. Its parameters are those of the field.
    pub address: NameAddr,
    /// It is the caller, which is also what silence means.
    pub is_calling: bool,
    /// The party is not to be shown.
    pub is_private: bool,
    /// The network has verified it.
    pub is_screened: bool,
}

impl From<NameAddr> for RemoteParty {
    fn from(address: NameAddr) -> Self {
        let says = |name: &str, value: &str| {
            address.params.unquoted(name).map(|said| said.eq_ignore_ascii_case(value))
        };
        Self {
            is_calling: says("party", "calling").unwrap_or(true),
            is_private: says("privacy", "off").is_some_and(|is_off| !is_off),
            is_screened: says("screen", "yes").unwrap_or(false),
            address,
        }
    }
}

impl Headers {
    /// P-Asserted-Identity (RFC 3325, 9.1): none, one, or a SIP and a tel URI in either order.
    ///
    /// Worth as much as whoever sent it.
    ///
    /// # Errors
    /// When a value is malformed or has another scheme, or there are others than those.
    pub fn asserted_identities(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.identities("P-Asserted-Identity")
    }

    /// P-Preferred-Identity (RFC 3325, 9.2), as [`Self::asserted_identities`].
    ///
    /// # Errors
    /// When a value is malformed or has another scheme, or there are others than those.
    pub fn preferred_identities(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.identities("P-Preferred-Identity")
    }

    /// Privacy (RFC 3323).
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn privacy(&self) -> Result<Option<Privacy>, HeaderError> {
        self.single("Privacy")?.map(str::parse).transpose()
    }

    /// Remote-Party-ID, which networks sent before P-Asserted-Identity.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn remote_parties(&self) -> Result<Vec<RemoteParty>, HeaderError> {
        let parties: Vec<NameAddr> = self.list("Remote-Party-ID")?;
        Ok(parties.into_iter().map(RemoteParty::from).collect())
    }

    fn identities(&self, name: &'static str) -> Result<Vec<NameAddr>, HeaderError> {
        let list: Vec<NameAddr> = self.list(name)?;
        let is_tel = |identity: &NameAddr| *identity.uri.scheme() == Scheme::Tel;
        let are_known = list.iter().all(|identity| identity.uri.is_sip() || is_tel(identity));
        let are_allowed = match list.as_slice() {
            [] | [_] => true,
            [first, second] => is_tel(first) != is_tel(second),
            [_, _, ..] => false,
        };
        if are_known && are_allowed { Ok(list) } else { Err(HeaderError::Malformed(name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, values: &[&str]) -> Headers {
        let mut headers = Headers::new();
        for value in values {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn one_identity_or_one_of_each_kind_is_asserted() {
        let name = "P-Asserted-Identity";
        let sip = "\"Cullen Jennings\" <sip:fluffy@cisco.com>";
        let cases: [(&[&str], Option<usize>); 9] = [
            (&[], Some(0)),
            (&[sip], Some(1)),
            (&["tel:+14085264000"], Some(1)),
            (&[sip, "tel:+14085264000"], Some(2)),
            (&["<tel:+14085264000>, \"C\" <sips:fluffy@cisco.com>"], Some(2)),
            (&[sip, sip], None),
            (&["tel:+1, tel:+2"], None),
            (&["<mailto:x@y>"], None),
            (&[sip, "<tel:+1"], None),
        ];

        for (values, count) in cases {
            let read = headers(name, values).asserted_identities().ok().map(|list| list.len());
            assert_eq!(read, count, "{values:?}");
        }
        let preferred = headers("P-Preferred-Identity", &[sip, sip]).preferred_identities();
        assert_eq!(preferred, Err(HeaderError::Malformed("P-Preferred-Identity")));
    }

    #[test]
    fn privacy_is_read_and_written_and_none_stands_alone() {
        let cases = [
            ("id", true, "id"),
            ("ID ; Critical", true, "id;critical"),
            ("user;header;session", true, "user;header;session"),
            ("session;history;new", false, "session;history;new"),
            ("none", false, "none"),
        ];
        for (text, hides, written) in cases {
            let privacy = headers("Privacy", &[text]).privacy().unwrap().unwrap();
            assert_eq!((privacy.hides_caller(), privacy.to_string()), (hides, written.to_owned()));
        }
        assert!(Privacy::id().has(&PrivacyValue::Id));
        assert_eq!(Headers::new().privacy(), Ok(None));
        for text in ["", "none;id", "id;", "id,user", "a b"] {
            assert_eq!(text.parse::<Privacy>(), Err(HeaderError::Malformed("Privacy")), "{text}");
        }
        assert_eq!(headers("Privacy", &["id", "id"]).privacy(), Err(HeaderError::Repeated("Privacy")));
    }

    #[test]
    fn a_remote_party_says_whose_it_is_and_what_may_be_shown() {
        let headers = headers(
            "Remote-Party-ID",
            &[
                "\"John\" <sip:john@a.example>;party=calling;screen=yes;privacy=off",
                "<sip:+1@a.example;user=phone>;privacy=\"full\"",
                "<sip:x@a.example>;party=called;screen=no",
            ],
        );

        let said = headers.remote_parties().unwrap();

        let facts: Vec<_> =
            said.iter().map(|party| (party.is_calling, party.is_private, party.is_screened)).collect();
        assert_eq!(facts, [(true, false, true), (true, true, false), (false, false, false)]);
    }

    #[test]
    fn an_anonymous_caller_is_known_by_the_address() {
        assert_eq!(NameAddr::anonymous().to_string(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        let anonymous = |text: &str| text.parse::<NameAddr>().unwrap().is_anonymous();
        assert!(anonymous("Anonymous <sip:c8oqz84zk7z@Anonymous.Invalid>;tag=1"));
        assert!(anonymous("<sip:Anonymous@carrier.example>"));
        assert!(!anonymous("Anonymous <sip:john@contoso.example>") && !anonymous("tel:+1"));
    }
}
