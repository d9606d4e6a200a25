//! The header fields that move calls: Refer-To and Event (RFC 3515, RFC 6665), Referred-By (RFC 3892), Replaces
//! (RFC 3891), and the message fragments that tell how it went (RFC 3420).

use std::fmt;
use std::str::FromStr;

use crate::{HeaderError, Headers, NameAddr, Params, StatusCode, Uri, lex};

/// The media type of message fragments (RFC 3420).
pub const SIPFRAG: &str = "message/sipfrag";

/// A Replaces value: the dialog that a new call takes the place of (RFC 3891, 6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID of the dialog.
    pub call_id: String,
    /// The tag of whoever receives the INVITE with this field.
    pub to_tag: String,
    /// The tag of the party to be replaced.
    pub from_tag: String,
    /// Only a dialog without a final answer is to be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// The Replaces among the header fields of a URI, as a Refer-To names it (RFC 3891, 4).
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn of_uri(uri: &Uri) -> Result<Option<Self>, HeaderError> {
        let mut all = uri.headers().filter(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let Some((_, value)) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(HeaderError::Repeated("Replaces"));
        }
        value.parse().map(Some)
    }
}

impl FromStr for Replaces {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let malformed = HeaderError::Malformed("Replaces");
        let end = text.find(';').ok_or(malformed)?;
        let (call_id, params) = text.split_at_checked(end).ok_or(malformed)?;
        let call_id = lex::trim(call_id);
        let is_word =
            !call_id.is_empty() && call_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        let params = Params::parse(params).ok_or(malformed)?;
        let tag = |name| params.get(name).filter(|tag| lex::is_token(tag)).map(str::to_owned);
        match (tag("to-tag"), tag("from-tag")) {
            (Some(to_tag), Some(from_tag)) if is_word => {
                let early_only = params.has("early-only");
                Ok(Self { call_id: call_id.to_owned(), to_tag, from_tag, early_only })
            }
            (Some(_) | None, Some(_) | None) => Err(malformed),
        }
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}

/// An Event value (RFC 6665, 8.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The event package, such as `refer`.
    pub package: String,
    /// Tells subscriptions of one dialog apart.
    pub id: Option<String>,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        match &self.id {
            Some(id) => write!(f, ";id={id}"),
            None => Ok(()),
        }
    }
}

/// A Subscription-State value (RFC 6665, 8.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// Nothing more will be told. States that are no other known one count as going on.
    pub is_terminated: bool,
    /// How long it goes on, in seconds.
    pub expires: Option<u32>,
    /// Why it is over.
    pub reason: Option<String>,
}

impl Headers {
    /// Replaces.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        self.single("Replaces")?.map(str::parse).transpose()
    }

    /// Refer-To.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn refer_to(&self) -> Result<NameAddr, HeaderError> {
        self.address("Refer-To")
    }

    /// Referred-By.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn referred_by(&self) -> Result<Option<NameAddr>, HeaderError> {
        if self.has("Referred-By") { self.address("Referred-By").map(Some) } else { Ok(None) }
    }

    /// Event.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn event(&self) -> Result<Option<EventType>, HeaderError> {
        let Some((package, params)) = self.token_with_params("Event")? else { return Ok(None) };
        Ok(Some(EventType { package, id: params.get("id").map(str::to_owned) }))
    }

    /// Subscription-State.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState>, HeaderError> {
        let Some((state, params)) = self.token_with_params("Subscription-State")? else { return Ok(None) };
        Ok(Some(SubscriptionState {
            is_terminated: state.eq_ignore_ascii_case("terminated"),
            expires: params.get("expires").and_then(lex::number),
            reason: params.unquoted("reason"),
        }))
    }

    fn token_with_params(&self, name: &'static str) -> Result<Option<(String, Params)>, HeaderError> {
        let Some(value) = self.single(name)? else { return Ok(None) };
        let (token, rest) = lex::take_while(value, lex::is_token_byte);
        match Params::parse(rest) {
            Some(params) if !token.is_empty() => Ok(Some((token.to_owned(), params))),
            Some(_) | None => Err(HeaderError::Malformed(name)),
        }
    }
}

impl StatusCode {
    /// The status in the first line of a message fragment; whatever follows that line is not read.
    pub fn of_sipfrag(body: &[u8]) -> Option<Self> {
        let rest = body.strip_prefix(b"SIP/2.0 ")?;
        let (digits, after) = rest.split_at_checked(3)?;
        let is_whole = matches!(after.first(), None | Some(b' ' | b'\r' | b'\n'));
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_whole)?;
        lex::number(digits).and_then(Self::new)
    }

    /// A message fragment that is a status line alone.
    pub fn to_sipfrag(self) -> String {
        format!("SIP/2.0 {self} {}\r\n", self.reason())
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
    fn a_dialog_to_be_replaced_is_read_and_written() {
        let headers = headers("Replaces", &["98732@h ;from-tag=r33;To-Tag=9 ;early-only;x=y"]);

        let replaces = headers.replaces().unwrap().unwrap();

        assert_eq!((replaces.call_id.as_str(), replaces.early_only), ("98732@h", true));
        assert_eq!(replaces.to_string(), "98732@h;to-tag=9;from-tag=r33;early-only");
        assert_eq!(replaces.to_string().parse(), Ok(replaces));
    }

    #[test]
    fn a_dialog_without_both_tags_or_with_one_twice_is_refused() {
        let malformed = [
            "",
            "a",
            "a;to-tag=b",
            "a;from-tag=b",
            ";to-tag=b;from-tag=c",
            "a b;to-tag=b;from-tag=c",
            "a,b;to-tag=b;from-tag=c",
            "a;to-tag;from-tag=c",
            "a;to-tag=b;to-tag=b;from-tag=c",
            "a;to-tag=\"b\";from-tag=c",
        ];
        for text in malformed {
            assert_eq!(text.parse::<Replaces>(), Err(HeaderError::Malformed("Replaces")), "{text}");
        }
        let twice = headers("Replaces", &["a;to-tag=b;from-tag=c", "d;to-tag=e;from-tag=f"]);
        assert_eq!(twice.replaces(), Err(HeaderError::Repeated("Replaces")));
        assert_eq!(Headers::new().replaces(), Ok(None));
    }

    #[test]
    fn the_address_of_a_refer_carries_the_dialog_escaped() {
        let replaces: Replaces = "a@h;to-tag=b;from-tag=c".parse().unwrap();
        let uri = "sip:mary@h".parse::<Uri>().unwrap().with_header("Replaces", &replaces.to_string());

        assert_eq!(uri.to_string(), "sip:mary@h?Replaces=a%40h%3Bto-tag%3Db%3Bfrom-tag%3Dc");
        assert_eq!(Replaces::of_uri(&uri), Ok(Some(replaces)));
        assert_eq!(Replaces::of_uri(&uri.clone().without_headers()), Ok(None));
        let twice = uri.with_header("replaces", "x");
        assert_eq!(Replaces::of_uri(&twice), Err(HeaderError::Repeated("Replaces")));
    }

    #[test]
    fn one_refer_names_one_target() {
        let to = "\"Mary\" <sip:mary@h?Replaces=a>;x=y";
        assert_eq!(headers("r", &[to]).refer_to().unwrap().uri.to_string(), "sip:mary@h?Replaces=a");
        assert_eq!(headers("r", &[to, to]).refer_to(), Err(HeaderError::Repeated("Refer-To")));
        assert_eq!(Headers::new().refer_to(), Err(HeaderError::Missing("Refer-To")));
        let two = headers("Refer-To", &["<sip:a@h>, <sip:b@h>"]);
        assert_eq!(two.refer_to(), Err(HeaderError::Malformed("Refer-To")));
        assert_eq!(Headers::new().referred_by(), Ok(None));
        assert!(headers("b", &["<sip:a@h>;cid=1"]).referred_by().unwrap().is_some());
    }

    #[test]
    fn events_and_states_of_subscriptions_are_read() {
        let event = headers("o", &["refer ; id=7"]).event().unwrap().unwrap();
        assert_eq!((event.package.as_str(), event.id.as_deref()), ("refer", Some("7")));
        assert_eq!(event.to_string(), "refer;id=7");
        assert_eq!(headers("Event", &[";id=7"]).event(), Err(HeaderError::Malformed("Event")));

        let state = |text| headers("Subscription-State", &[text]).subscription_state().unwrap().unwrap();
        let over = state("Terminated;reason=noresource");
        assert_eq!((over.is_terminated, over.reason.as_deref()), (true, Some("noresource")));
        let active = state("active;expires=60");
        assert_eq!((active.is_terminated, active.expires), (false, Some(60)));
    }

    #[test]
    fn the_status_of_a_fragment_is_its_first_line() {
        assert_eq!(StatusCode::of_sipfrag(b"SIP/2.0 180 Ringing\r\nTo: x\r\n"), Some(StatusCode::RINGING));
        assert_eq!(StatusCode::of_sipfrag(b"SIP/2.0 200"), Some(StatusCode::OK));
        assert_eq!(
            StatusCode::of_sipfrag(StatusCode::TRYING.to_sipfrag().as_bytes()),
            Some(StatusCode::TRYING)
        );
        for text in [
            "",
            "SIP/2.0 ",
            "SIP/2.0 20",
            "SIP/2.0 2000 OK",
            "SIP/2.0 099 x",
            "INVITE sip:h SIP/2.0",
            " SIP/2.0 200",
        ] {
            assert_eq!(StatusCode::of_sipfrag(text.as_bytes()), None, "{text}");
        }
    }
}
