//! The types that settings have: how each is written in a file, in a variable, and shown again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::file::Raw;

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// What it looks like, with an example, to follow "expected".
    fn expected() -> String;

    /// Reads it as written in a variable or on the command line.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads it as written in the file; a string there is the same as in a variable.
    fn from_raw(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) => Self::from_text(text),
            Raw::Bool(_) | Raw::Integer(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }

    /// Writes it as TOML.
    fn to_toml(&self) -> String;
}

/// A base URL: scheme, host and perhaps port and path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for BaseUrl {
    fn expected() -> String {
        "a base URL without user, query or fragment, such as \"https://calls.example.com\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let base = text.trim_end_matches('/');
        let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"))?;
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "@?#\\".contains(c);
        let is_plain = !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(is_odd);
        is_plain.then(|| Self(base.to_owned()))
    }

    fn to_toml(&self) -> String {
        quoted(&self.0)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Value for Bytes {
    fn expected() -> String {
        "a size in B, KiB, MiB or GiB, such as \"1MiB\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        SIZES.iter().find_map(|(unit, bytes)| with_unit(text, unit, *bytes)).map(Self)
    }

    fn to_toml(&self) -> String {
        let unit = SIZES.iter().find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        let (unit, bytes) = unit.unwrap_or(&("B", 1));
        quoted(&format!("{}{unit}", self.0 / bytes))
    }
}

/// A range of UDP ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

impl Value for PortRange {
    fn expected() -> String {
        "a range of ports, such as \"16384-32767\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let range = Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
        (range.first != 0 && range.first < range.last).then_some(range)
    }

    fn to_toml(&self) -> String {
        quoted(&format!("{}-{}", self.first, self.last))
    }
}

/// Addresses that begin with the same bits, as `10.0.0.0/8`; an address alone is the range of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// One of them.
    pub address: IpAddr,
    /// How many bits are the same.
    pub prefix_length: u8,
}

impl Value for AddressRange {
    fn expected() -> String {
        "an address or a range of addresses, such as \"10.0.0.0/8\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_length = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix_length <= longest).then_some(Self { address, prefix_length })
    }

    fn to_toml(&self) -> String {
        quoted(&format!("{}/{}", self.address, self.prefix_length))
    }
}

/// The header in which proxies tell of the hops of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Standard,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

impl Value for ForwardedHeader {
    fn expected() -> String {
        "\"x-forwarded-for\" or \"forwarded\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "forwarded" => Some(Self::Standard),
            "x-forwarded-for" => Some(Self::XForwardedFor),
            _ => None,
        }
    }

    fn to_toml(&self) -> String {
        quoted(match self {
            Self::Standard => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
        })
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// An object a line.
    Json,
}

impl Value for LogFormat {
    fn expected() -> String {
        "\"human\" or \"json\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn to_toml(&self) -> String {
        quoted(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// An outside issuer whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that they have to carry.
    pub audience: String,
    /// Where its keys are.
    pub jwks_url: String,
    /// The claim that holds the permissions; `roles` where nothing is said.
    pub role_claim: String,
    /// The tenant of its tokens, where they do not say it in `tid`.
    pub tenant: Option<String>,
    /// The claim, and its value, that tokens of applications have and those of people have not; where nothing is said, what
    /// Entra ID and Keycloak have.
    pub application_mark: Option<(String, String)>,
}

impl Value for Vec<TrustedIssuer> {
    fn expected() -> String {
        "tables in the settings file, each [[identity.trusted_issuers]] with \"issuer\", \"audience\", \"jwks_url\" and, if wanted, \"role_claim\", \"tenant\", \"application_claim\" with \"application_value\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.is_empty().then(Self::new)
    }

    fn from_raw(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => items.iter().map(issuer).collect(),
            Raw::Bool(_) | Raw::Integer(_) | Raw::Text(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }

    fn to_toml(&self) -> String {
        let one = |each: &TrustedIssuer| {
            let mut members = vec![
                ("issuer", &each.issuer),
                ("audience", &each.audience),
                ("jwks_url", &each.jwks_url),
                ("role_claim", &each.role_claim),
            ];
            members.extend(each.tenant.iter().map(|tenant| ("tenant", tenant)));
            if let Some((claim, value)) = &each.application_mark {
                members.extend([("application_claim", claim), ("application_value", value)]);
            }
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
            format!("{{ {} }}", members.join(", "))
        };
        listed(self.iter().map(one))
    }
}

fn issuer(raw: &Raw) -> Option<TrustedIssuer> {
    let Raw::Table(members) = raw else { return None };
    let known =
        ["issuer", "audience", "jwks_url", "role_claim", "tenant", "application_claim", "application_value"];
    if members.keys().any(|member| !known.contains(&member.as_str())) {
        return None;
    }
    let text = |name: &str| match members.get(name) {
        Some(Raw::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let optional = |name: &str| if members.contains_key(name) { text(name).map(Some) } else { Some(None) };
    let application_mark = match (optional("application_claim")?, optional("application_value")?) {
        (Some(claim), Some(value)) => Some((claim, value)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return None,
    };
    Some(TrustedIssuer {
        issuer: text("issuer")?,
        audience: text("audience")?,
        jwks_url: text("jwks_url")?,
        role_claim: optional("role_claim")?.unwrap_or_else(|| "roles".to_owned()),
        tenant: optional("tenant")?,
        application_mark,
    })
}

impl Value for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_raw(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Bool(value) => Some(*value),
            Raw::Integer(_) | Raw::List(_) | Raw::Text(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn expected() -> String {
        "a whole number of at most 4294967295".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_raw(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Integer(text) => Self::from_text(text),
            Raw::Bool(_) | Raw::List(_) | Raw::Text(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

/// The units of durations, in milliseconds. `min` and `ms` come before the units that they end with.
const UNITS: [(&str, u64); 5] =
    [("min", 60_000), ("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("s", 1_000)];

/// The longest duration, in milliseconds: longer than anything waits, and far from overflow where it is added to a time.
const CENTURY: u64 = 100 * 366 * 86_400_000;

impl Value for Duration {
    fn expected() -> String {
        "a time in ms, s, min, h or d, such as \"500ms\" or \"45min\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let millis = UNITS.iter().find_map(|(unit, millis)| with_unit(text, unit, *millis))?;
        (millis <= CENTURY).then(|| Self::from_millis(millis))
    }

    fn to_toml(&self) -> String {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut units = UNITS;
        units.sort_by_key(|(_, unit_millis)| std::cmp::Reverse(*unit_millis));
        let unit = units.iter().find(|(_, unit_millis)| millis != 0 && millis.is_multiple_of(*unit_millis));
        let (unit, unit_millis) = unit.unwrap_or(&("s", 1_000));
        quoted(&format!("{}{unit}", millis / unit_millis))
    }
}

impl Value for String {
    fn expected() -> String {
        "a string that is not empty".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn to_toml(&self) -> String {
        quoted(self)
    }
}

impl Value for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| Self::from(text))
    }

    fn to_toml(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Value for SocketAddr {
    fn expected() -> String {
        "an address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn to_toml(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for IpAddr {
    fn expected() -> String {
        "an IP address, such as \"192.0.2.1\"".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn to_toml(&self) -> String {
        quoted(&self.to_string())
    }
}

impl<T: Value> Value for Option<T> {
    fn expected() -> String {
        format!("{}, or \"\" for none", T::expected())
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::from_text(text).map(Some) }
    }

    fn to_toml(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), T::to_toml)
    }
}

/// A type that a list may hold; in a variable its items are set apart by commas.
trait Item: Value {}
impl Item for String {}
impl Item for Duration {}
impl Item for AddressRange {}

impl<T: Item> Value for Vec<T> {
    fn expected() -> String {
        format!("a list, each item {}", T::expected())
    }

    fn from_text(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(T::from_text).collect()
    }

    fn from_raw(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => items.iter().map(T::from_raw).collect(),
            Raw::Bool(_) | Raw::Integer(_) | Raw::Text(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }

    fn to_toml(&self) -> String {
        listed(self.iter().map(T::to_toml))
    }
}

impl Value for BTreeMap<String, String> {
    fn expected() -> String {
        "a table of strings, or from=to pairs set apart by commas outside of the file".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (from, to) = pair.split_once('=')?;
            Some((from.trim().to_owned(), to.trim().to_owned()))
        };
        pairs.map(pair).collect()
    }

    fn from_raw(raw: &Raw) -> Option<Self> {
        let Raw::Table(members) = raw else { return None };
        let text = |(name, raw): (&String, &Raw)| match raw {
            Raw::Text(text) => Some((name.clone(), text.clone())),
            Raw::Bool(_) | Raw::Integer(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        };
        members.iter().map(text).collect()
    }

    fn to_toml(&self) -> String {
        let pairs: Vec<_> =
            self.iter().map(|(from, to)| format!("{} = {}", quoted(from), quoted(to))).collect();
        if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
    }
}

/// A whole number with its unit behind it, in units of `size`.
fn with_unit(text: &str, unit: &str, size: u64) -> Option<u64> {
    text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(size)
}

/// A string as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn listed(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
