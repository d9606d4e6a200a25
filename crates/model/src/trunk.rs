use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppId, IpRange, PhoneNumber, TenantId, Timestamp, TrunkId};

/// A way to the phone network and back: a carrier's SIP peer, and what may go over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// The id.
    pub id: TrunkId,
    /// Whose calls it carries.
    pub tenant: TenantId,
    /// The name to show.
    pub name: String,
    /// Lower ones are tried first.
    pub priority: u16,
    /// The share of calls among trunks of the same priority.
    pub weight: NonZeroU32,
    /// Where calls go.
    pub peer: TrunkPeer,
    /// What answers the peer's challenges.
    pub account: Option<TrunkAccount>,
    /// Addresses that calls and requests of the peer come from. None but these are the peer.
    pub sources: Vec<IpRange>,
    /// What numbers it may call. None: it takes calls and makes none.
    pub allowed_prefixes: Vec<NumberPrefix>,
    /// What numbers it may not call even so.
    pub blocked_prefixes: Vec<NumberPrefix>,
    /// How many calls may begin within a second, in each direction. As many may begin at once.
    pub calls_per_second: NonZeroU32,
    /// How many calls may be there at once, in both directions together.
    pub concurrent_calls: NonZeroU32,
    /// How often the peer is asked whether it is there, by OPTIONS; `None` asks never.
    pub options_interval: Option<Duration>,
    /// Whether sound is encrypted.
    pub srtp: SrtpPolicy,
    /// What becomes of numbers on the way out: from E.164 to what the peer wants.
    pub outgoing_rules: Vec<NumberRule>,
    /// What becomes of numbers on the way in: from what the peer sends to E.164.
    pub incoming_rules: Vec<NumberRule>,
    /// How the number of the one who calls is written on the way out.
    pub caller_form: CallerForm,
    /// Whether the peer is in the domain of trust (RFC 3325): the caller's identity goes to it also where the caller
    /// wants it kept from the callee, and what it asserts of callers is believed.
    pub is_trusted: bool,
}

impl Trunk {
    /// The most entries of each list of a trunk: more than carriers have networks, few enough to look through for
    /// each call.
    pub const MAX_ENTRIES: usize = 256;

    /// The most calls of a trunk at once, and in a second. Arbitrary; more than one server mixes.
    pub const MAX_CALLS: u32 = 10_000;

    /// Whether the trunk may call the number. What is blocked is blocked, however it is allowed.
    pub fn lets_call(&self, number: &PhoneNumber) -> bool {
        let is_in = |prefixes: &[NumberPrefix]| prefixes.iter().any(|prefix| prefix.begins(number));
        is_in(&self.allowed_prefixes) && !is_in(&self.blocked_prefixes)
    }

    /// Whether something that came from `address` may be the peer's.
    pub fn is_source(&self, address: std::net::IpAddr) -> bool {
        self.sources.iter().any(|range| range.contains(address))
    }
}

/// Where a trunk's calls go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkPeer {
    /// A name or an address.
    pub host: String,
    /// The port; `None` where DNS says (RFC 3263, 4.2).
    pub port: Option<u16>,
    /// What carries SIP.
    pub transport: TrunkTransport,
}

/// What carries SIP to a trunk's peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrunkTransport {
    /// A connection.
    Tcp,
    /// An encrypted connection, to a peer whose certificate names its host.
    Tls,
    /// Datagrams.
    Udp,
}

/// What shows a trunk's peer who this server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkAccount {
    /// The user name.
    pub username: String,
    /// The password, or what is made of it.
    pub secret: TrunkSecret,
    /// How the server registers; `None` where the peer knows where to send calls.
    pub registration: Option<TrunkRegistration>,
}

/// What answers a peer's challenges (RFC 7616). It is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrunkSecret {
    /// Digests of the password that hold for one realm; they are of no use in another.
    Digests {
        /// The realm.
        realm: String,
        /// HA1 by MD5, lower-case hexadecimal.
        md5: String,
        /// HA1 by SHA-256, lower-case hexadecimal.
        sha256: String,
    },
    /// The password itself, where the peer's realm is not known beforehand.
    Password(String),
}

impl fmt::Debug for TrunkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digests { realm, .. } => {
                f.debug_struct("Digests").field("realm", realm).finish_non_exhaustive()
            }
            Self::Password(_) => f.debug_tuple("Password").finish_non_exhaustive(),
        }
    }
}

/// How a server registers at a trunk's peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkRegistration {
    /// The address that is registered, without scheme: `customer@carrier.example`.
    pub address: String,
    /// How long a registration is asked to last.
    pub expires: Duration,
}

/// Whether a trunk's sound is encrypted (SRTP with keys in SDP, RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SrtpPolicy {
    /// It is not offered; what the peer offers is taken.
    Accepted,
    /// It is neither offered nor taken.
    Never,
    /// Nothing else is offered or taken.
    Required,
}

/// How a trunk writes the number of the one who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerForm {
    /// As the rules for numbers on the way out make it.
    ByRules,
    /// Without the plus: `12345678900`.
    Digits,
    /// With the plus: `+12345678900`.
    E164,
}

/// What numbers begin with: a plus and up to 15 digits. The plus alone begins all numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NumberPrefix(String);

impl NumberPrefix {
    /// The prefix as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the number begins so.
    pub fn begins(&self, number: &PhoneNumber) -> bool {
        number.as_str().starts_with(&self.0)
    }
}

impl fmt::Debug for NumberPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<NumberPrefix> for String {
    fn from(prefix: NumberPrefix) -> Self {
        prefix.0
    }
}

impl TryFrom<String> for NumberPrefix {
    type Error = NumberPrefixError;

    fn try_from(text: String) -> Result<Self, NumberPrefixError> {
        let digits = text.strip_prefix('+').ok_or(NumberPrefixError)?;
        let is_fit = digits.len() <= PhoneNumber::MAX_DIGITS
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0');
        if is_fit { Ok(Self(text)) } else { Err(NumberPrefixError) }
    }
}

/// A text is not what numbers begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what phone numbers begin with; write it as +1 or +4930, and + for all numbers")]
pub struct NumberPrefixError;

/// A change of numbers: what they begin with is replaced.
///
/// Of several rules that fit the one with the longest `from` holds, then the one that says how many digits there are.
/// Without a rule a number stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRule {
    /// What the number begins with; empty fits all numbers.
    pub from: String,
    /// What stands there instead; empty takes it away.
    pub to: String,
    /// How many digits the number has, where it fits such alone.
    pub digits: Option<u8>,
}

impl NumberRule {
    /// The longest `from` and `to`: all of a number with a way out before it. Arbitrary.
    pub const MAX_LENGTH: usize = 24;

    /// Whether `text` can stand in a rule: at most [`NumberRule::MAX_LENGTH`] of what a SIP URI carries as a number.
    pub fn is_part(text: &str) -> bool {
        text.len() <= Self::MAX_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"+*#".contains(&byte))
    }
}

/// What an application may use of trunks in a day (UTC), so that a fault or a thief does not cost a fortune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkBudget {
    /// How many calls it may make, answered or not.
    pub calls_per_day: u32,
    /// How many minutes its calls may be connected, all together.
    pub minutes_per_day: u32,
}

impl Default for TrunkBudget {
    /// What a small service gets along with, and what somebody's mistake may cost. Arbitrary.
    fn default() -> Self {
        Self { calls_per_day: 200, minutes_per_day: 600 }
    }
}

/// What an application has used of trunks on one day (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkUsage {
    /// The application.
    pub app: AppId,
    /// The day, as [`TrunkUsage::day_of`] counts them.
    pub day: i64,
    /// How many calls it has made.
    pub calls: u32,
    /// How long its calls were connected, all together.
    pub connected: Duration,
}

impl TrunkUsage {
    /// The day that a moment is in, in days since 1970-01-01 (UTC).
    pub const fn day_of(moment: Timestamp) -> i64 {
        moment.as_secs().div_euclid(86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::{NumberPrefix, NumberRule, TrunkSecret};
    use crate::PhoneNumber;

    #[test]
    fn a_prefix_is_a_plus_and_digits_and_begins_what_starts_with_it() {
        let number = PhoneNumber::parse("+4930123456").unwrap();
        for (text, begins) in
            [("+", true), ("+49", true), ("+4930123456", true), ("+491", false), ("+1", false)]
        {
            assert_eq!(NumberPrefix::try_from(text.to_owned()).unwrap().begins(&number), begins, "{text}");
        }
        for text in ["", "49", "+4a", "+ 49", "+0", "+1234567890123456"] {
            assert!(NumberPrefix::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_holds_what_can_be_dialled() {
        assert!(
            ["", "+49", "00", "*31#", "123456789012345678901234"]
                .iter()
                .all(|text| NumberRule::is_part(text))
        );
        assert!(!["a", " ", "@", "1234567890123456789012345"].iter().any(|text| NumberRule::is_part(text)));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let password = TrunkSecret::Password("hidden".to_owned());
        let (md5, sha256) = ("hidden".to_owned(), "hidden".to_owned());
        let digests = TrunkSecret::Digests { realm: "carrier.example".to_owned(), md5, sha256 };
        let shown = format!("{password:?} {digests:?}");
        assert!(!shown.contains("hidden") && shown.contains("carrier.example"), "{shown}");
    }
}
