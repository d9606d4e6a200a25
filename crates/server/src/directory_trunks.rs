//! The trunks and the phone numbers of a directory file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use model::{
    CallerForm, Directory, IpRange, NumberPrefix, NumberRule, PhoneNumber, SrtpPolicy, Trunk, TrunkAccount,
    TrunkBudget, TrunkPeer, TrunkRegistration, TrunkSecret, TrunkTransport,
};
use serde::Deserialize;
use sip_message::Uri;
use sip_message::digest::{Algorithm, Ha1};

use crate::directory_file::secret;

/// A trunk as a directory file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TrunkEntry {
    id: String,
    tenant: String,
    name: String,
    #[serde(default)]
    priority: u16,
    #[serde(default = "one")]
    weight: u32,
    host: String,
    port: Option<u16>,
    #[serde(default = "udp")]
    transport: Transport,
    account: Option<AccountEntry>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    allowed_prefixes: Vec<String>,
    #[serde(default)]
    blocked_prefixes: Vec<String>,
    #[serde(default = "calls_per_second")]
    calls_per_second: u32,
    #[serde(default = "concurrent_calls")]
    concurrent_calls: u32,
    #[serde(default = "options_interval")]
    options_interval_s: u64,
    #[serde(default = "accepted")]
    srtp: Srtp,
    #[serde(default)]
    outgoing_rules: Vec<RuleEntry>,
    #[serde(default)]
    incoming_rules: Vec<RuleEntry>,
    #[serde(default = "e164")]
    caller_form: Caller,
    #[serde(default)]
    trusted: bool,
}

/// What answers the peer's challenges.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AccountEntry {
    username: String,
    password_file: PathBuf,
    realm: Option<String>,
    #[serde(default)]
    register: bool,
    address: Option<String>,
    #[serde(default = "expires")]
    expires_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleEntry {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    digits: Option<u8>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transport {
    Tcp,
    Tls,
    Udp,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Srtp {
    Accepted,
    Never,
    Required,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Caller {
    ByRules,
    Digits,
    E164,
}

/// What an application may use of trunks in a day, as a directory file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BudgetEntry {
    calls_per_day: Option<u32>,
    minutes_per_day: Option<u32>,
}

/// A budget; what the file does not say is the default.
pub(crate) fn budget(entry: Option<&BudgetEntry>) -> TrunkBudget {
    let standard = TrunkBudget::default();
    TrunkBudget {
        calls_per_day: entry.and_then(|entry| entry.calls_per_day).unwrap_or(standard.calls_per_day),
        minutes_per_day: entry.and_then(|entry| entry.minutes_per_day).unwrap_or(standard.minutes_per_day),
    }
}

const fn one() -> u32 {
    1
}

const fn udp() -> Transport {
    Transport::Udp
}

/// As many as people dial; programs that dial in bulk ask for more.
const fn calls_per_second() -> u32 {
    5
}

/// As many as one E1 carries.
const fn concurrent_calls() -> u32 {
    30
}

/// Soon enough that few calls find out instead.
const fn options_interval() -> u64 {
    30
}

const fn accepted() -> Srtp {
    Srtp::Accepted
}

const fn e164() -> Caller {
    Caller::E164
}

/// What most registrars grant.
const fn expires() -> u64 {
    600
}

/// How often a peer may be asked whether it is there, in seconds: not so often that it takes offence, and often enough
/// that the answer is worth something.
const OPTIONS_INTERVALS_S: std::ops::RangeInclusive<u64> = 5..=3600;

/// How long a registration may be asked to last, in seconds: at most a day, as RFC 3261 has no more to say of it.
const EXPIRES_S: std::ops::RangeInclusive<u64> = 60..=86_400;

/// Reads one trunk; `folder` is where its password file is looked for.
pub(crate) fn trunk(entry: TrunkEntry, folder: &Path) -> Result<Trunk> {
    let id = entry.id.as_str();
    let host = host(&entry.host).with_context(|| format!("the trunk {id} has the host '{}'", entry.host))?;
    let interval = entry.options_interval_s;
    if interval != 0 && !OPTIONS_INTERVALS_S.contains(&interval) {
        bail!("the trunk {id} has options-interval-s = {interval}; take 5 to 3600, or 0 for no OPTIONS");
    }
    if entry.sources.is_empty() && entry.allowed_prefixes.is_empty() {
        bail!(
            "the trunk {id} takes no calls and makes none; say where calls come from as sources = [\"192.0.2.0/24\"], \
             or what may be called as allowed-prefixes = [\"+1\"]"
        );
    }
    let account = entry.account.map(|account| self::account(account, &host, folder)).transpose();
    Ok(Trunk {
        account: account.with_context(|| format!("the account of the trunk {id}"))?,
        sources: list(&entry.sources, (id, "sources"), |text| text.parse::<IpRange>())?,
        allowed_prefixes: list(&entry.allowed_prefixes, (id, "allowed-prefixes"), prefix)?,
        blocked_prefixes: list(&entry.blocked_prefixes, (id, "blocked-prefixes"), prefix)?,
        weight: count(entry.weight, (id, "weight"))?,
        calls_per_second: count(entry.calls_per_second, (id, "calls-per-second"))?,
        concurrent_calls: count(entry.concurrent_calls, (id, "concurrent-calls"))?,
        options_interval: (interval != 0).then(|| Duration::from_secs(interval)),
        outgoing_rules: rules(entry.outgoing_rules, (id, "outgoing-rules"))?,
        incoming_rules: rules(entry.incoming_rules, (id, "incoming-rules"))?,
        id: id.into(),
        tenant: entry.tenant.as_str().into(),
        name: entry.name,
        priority: entry.priority,
        peer: TrunkPeer {
            host,
            port: entry.port,
            transport: match entry.transport {
                Transport::Tcp => TrunkTransport::Tcp,
                Transport::Tls => TrunkTransport::Tls,
                Transport::Udp => TrunkTransport::Udp,
            },
        },
        srtp: match entry.srtp {
            Srtp::Accepted => SrtpPolicy::Accepted,
            Srtp::Never => SrtpPolicy::Never,
            Srtp::Required => SrtpPolicy::Required,
        },
        caller_form: match entry.caller_form {
            Caller::ByRules => CallerForm::ByRules,
            Caller::Digits => CallerForm::Digits,
            Caller::E164 => CallerForm::E164,
        },
        is_trusted: entry.trusted,
    })
}

/// A host alone: what a SIP URI takes as one, without a port of its own.
fn host(text: &str) -> Result<String> {
    let uri = format!("sip:{text}").parse::<Uri>().ok();
    let is_alone = uri.is_some_and(|uri| uri.host().is_some_and(|host| host.to_string() == text));
    if !is_alone {
        bail!("write a name or an address, such as carrier.example, and its port apart as port = 5060");
    }
    Ok(text.to_owned())
}

fn account(entry: AccountEntry, host: &str, folder: &Path) -> Result<TrunkAccount> {
    let password = secret(folder, &entry.password_file)?;
    if entry.username.is_empty() {
        bail!("its username is empty; write the one that the carrier gave");
    }
    if !EXPIRES_S.contains(&entry.expires_s) {
        bail!("it has expires-s = {}; take 60 to 86400", entry.expires_s);
    }
    if entry.address.is_some() && !entry.register {
        bail!("it has an address, which says what to register as; write register = true, or take it out");
    }
    let address = entry.address.unwrap_or_else(|| format!("{}@{host}", entry.username));
    let is_address = format!("sip:{address}").parse::<Uri>().is_ok_and(|uri| uri.user().is_some());
    if entry.register && !is_address {
        bail!("it has the address '{address}'; write it as name@domain");
    }
    let registration = TrunkRegistration { address, expires: Duration::from_secs(entry.expires_s) };
    let secret = match entry.realm {
        Some(realm) => {
            let digest = |algorithm| Ha1::new(algorithm, &entry.username, &realm, &password).hex().to_owned();
            let (md5, sha256) = (digest(Algorithm::Md5), digest(Algorithm::Sha256));
            TrunkSecret::Digests { realm, md5, sha256 }
        }
        None => TrunkSecret::Password(password),
    };
    let registration = entry.register.then_some(registration);
    Ok(TrunkAccount { username: entry.username, secret, registration })
}

fn count(value: u32, (id, key): (&str, &str)) -> Result<NonZeroU32> {
    let most = Trunk::MAX_CALLS;
    let count = NonZeroU32::new(value).filter(|count| count.get() <= most);
    count.with_context(|| format!("the trunk {id} has {key} = {value}; take 1 to {most}"))
}

fn prefix(text: &str) -> Result<NumberPrefix, model::NumberPrefixError> {
    text.to_owned().try_into()
}

fn list<T, E: Display>(
    texts: &[String],
    (id, key): (&str, &str),
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>> {
    check_length(texts.len(), (id, key))?;
    let read = |text: &String| {
        read(text).map_err(|error| anyhow::anyhow!("the trunk {id} has '{text}' among its {key}: {error}"))
    };
    texts.iter().map(read).collect()
}

fn check_length(length: usize, (id, key): (&str, &str)) -> Result<()> {
    if length > Trunk::MAX_ENTRIES {
        bail!("the trunk {id} has {length} {key}; at most {} are looked through", Trunk::MAX_ENTRIES);
    }
    Ok(())
}

fn rules(entries: Vec<RuleEntry>, (id, key): (&str, &str)) -> Result<Vec<NumberRule>> {
    check_length(entries.len(), (id, key))?;
    let mut rules: Vec<NumberRule> = Vec::with_capacity(entries.len());
    for RuleEntry { from, to, digits } in entries {
        if let Some(text) = [&from, &to].into_iter().find(|text| !NumberRule::is_part(text)) {
            let most = NumberRule::MAX_LENGTH;
            bail!("the trunk {id} has '{text}' in its {key}; take at most {most} digits, +, * and #");
        }
        if rules.iter().any(|rule| rule.from == from && rule.digits == digits) {
            bail!("the trunk {id} has two {key} for '{from}' with the same digits; take one out");
        }
        rules.push(NumberRule { from, to, digits });
    }
    Ok(rules)
}

/// Numbers as a file has them, in the one form in which they are compared.
pub(crate) fn numbers(texts: &[String], whose: &str) -> Result<Vec<PhoneNumber>> {
    let number = |text: &String| {
        text.parse().map_err(|error| anyhow::anyhow!("{whose} has the number '{text}': {error}"))
    };
    texts.iter().map(number).collect()
}

/// Whoever calls a number must mean one and no other.
pub(crate) fn check(directory: &Directory) -> Result<()> {
    let mut trunks = directory.trunks.values();
    if let Some(trunk) = trunks.find(|trunk| !directory.tenants.contains_key(&trunk.tenant)) {
        bail!("the trunk {} is of the tenant {}, which is not in the file", trunk.id, trunk.tenant);
    }
    let of_instances = directory.instances.values().flat_map(|instance| {
        let whose = format!("the application instance {}", instance.id);
        instance.numbers.iter().map(move |number| (number, whose.clone()))
    });
    let of_tenants = directory.tenants.values().flat_map(|tenant| {
        let whose = format!("the tenant {}, to dial in,", tenant.id);
        tenant.dial_in_numbers.iter().map(move |number| (number, whose.clone()))
    });
    let mut takers: BTreeMap<&PhoneNumber, String> = BTreeMap::new();
    for (number, whose) in of_instances.chain(of_tenants) {
        if let Some(taker) = takers.get(number) {
            bail!("{whose} has the number {}, which {taker} has; take it out of one", number.as_str());
        }
        takers.insert(number, whose);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use model::{
        ApplicationInstance, CallerForm, Directory, SrtpPolicy, Tenant, Trunk, TrunkBudget, TrunkSecret,
        TrunkTransport,
    };

    use super::{BudgetEntry, TrunkEntry, budget, check, numbers, trunk};

    fn read(more: &str) -> anyhow::Result<Trunk> {
        let head = "id = 'carrier'\ntenant = 't'\nname = 'Carrier'\n";
        let entry: TrunkEntry = toml::from_str(&format!("{head}{more}"))?;
        // Any file that is there serves as the password: that of this crate's description.
        trunk(entry, Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    #[test]
    fn what_a_trunk_does_not_say_is_careful() {
        let trunk = read("host = 'carrier.example'\nsources = ['192.0.2.7']").unwrap();
        let number = "+12015550123".parse().unwrap();
        assert!(!trunk.lets_call(&number), "nothing is called that was not allowed");
        assert_eq!((trunk.calls_per_second.get(), trunk.concurrent_calls.get()), (5, 30));
        assert_eq!((trunk.peer.transport, trunk.peer.port), (TrunkTransport::Udp, None));
        assert_eq!(trunk.options_interval, Some(Duration::from_secs(30)));
        assert_eq!((trunk.srtp, trunk.caller_form), (SrtpPolicy::Accepted, CallerForm::E164));
        assert!(!trunk.is_trusted && trunk.account.is_none());
    }

    #[test]
    fn all_that_a_trunk_says_is_taken() {
        let text = "
            host = '[2001:db8::1]'
            port = 5061
            transport = 'tls'
            priority = 2
            weight = 3
            sources = ['192.0.2.0/24', '2001:db8::/32']
            allowed-prefixes = ['+1', '+44']
            blocked-prefixes = ['+1900']
            calls-per-second = 7
            concurrent-calls = 9
            options-interval-s = 0
            srtp = 'required'
            outgoing-rules = [{ from = '+1', digits = 11 }]
            incoming-rules = [{ from = '00', to = '+' }]
            caller-form = 'by-rules'
            trusted = true
        ";
        let trunk = read(text).unwrap();
        let called = |text: &str| trunk.lets_call(&text.parse().unwrap());
        assert!(called("+12015550123") && called("+442079460123"));
        assert!(!called("+19005550123") && !called("+4930123456"));
        assert!(
            trunk.is_source("2001:db8::2".parse().unwrap()) && !trunk.is_source("192.0.3.1".parse().unwrap())
        );
        assert_eq!((trunk.peer.host.as_str(), trunk.peer.port), ("[2001:db8::1]", Some(5061)));
        assert_eq!((trunk.options_interval, trunk.srtp), (None, SrtpPolicy::Required));
        assert_eq!((trunk.priority, trunk.weight.get(), trunk.is_trusted), (2, 3, true));
        assert_eq!(trunk.outgoing_rules[0].digits, Some(11));
        assert_eq!(trunk.incoming_rules[0].to, "+");
    }

    #[test]
    fn a_password_is_kept_as_digests_where_the_realm_is_known() {
        let account = |more: &str| {
            let more = format!("username = 'john', password-file = 'Cargo.toml'{more}");
            let text = format!("host = 'carrier.example'\nsources = ['192.0.2.7']\naccount = {{ {more} }}");
            read(&text).unwrap().account.unwrap()
        };
        let digests = account(", realm = 'carrier.example'");
        let TrunkSecret::Digests { realm, md5, sha256 } = digests.secret else { panic!("{digests:?}") };
        assert_eq!((realm.as_str(), md5.len(), sha256.len()), ("carrier.example", 32, 64));
        assert!(digests.registration.is_none());

        let registering = account(", register = true");
        assert!(matches!(registering.secret, TrunkSecret::Password(_)), "{registering:?}");
        let registration = registering.registration.unwrap();
        assert_eq!(registration.address, "john@carrier.example");
        assert_eq!(registration.expires, Duration::from_secs(600));
        let named = account(", register = true, address = '555@pbx.example', expires-s = 60");
        assert_eq!(named.registration.unwrap().address, "555@pbx.example");
    }

    #[test]
    fn mistakes_are_named_with_their_fix() {
        let sourced = "host = 'carrier.example'\nsources = ['192.0.2.7']\n";
        let cases = [
            ("host = 'carrier.example'", "neither calls nor is called", "takes no calls and makes none"),
            ("host = 'carrier.example:5060'\nsources = ['192.0.2.7']", "a port in the host", "port = 5060"),
            ("host = 'a b'\nsources = ['192.0.2.7']", "no host", "carrier.example"),
            ("host = 'h'\nsources = ['192.0.2.0/33']", "no range", "'192.0.2.0/33' among its sources"),
            ("host = 'h'\nallowed-prefixes = ['1']", "no plus", "write it as +1"),
            (
                "host = 'h'\nallowed-prefixes = ['+1']\nblocked-prefixes = ['+x']",
                "a letter",
                "blocked-prefixes",
            ),
            (&format!("{sourced}weight = 0"), "no weight", "weight = 0; take 1 to"),
            (&format!("{sourced}calls-per-second = 0"), "no calls", "calls-per-second = 0; take 1 to"),
            (
                &format!("{sourced}concurrent-calls = 10001"),
                "too many",
                "concurrent-calls = 10001; take 1 to 10000",
            ),
            (&format!("{sourced}options-interval-s = 1"), "too often", "take 5 to 3600"),
            (
                &format!("{sourced}outgoing-rules = [{{ from = 'x' }}]"),
                "a letter",
                "'x' in its outgoing-rules",
            ),
            (
                &format!("{sourced}incoming-rules = [{{ from = '0' }}, {{ from = '0', to = '+' }}]"),
                "two for the same",
                "two incoming-rules for '0'",
            ),
            (&format!("{sourced}transport = 'sctp'"), "no transport", "transport"),
            (
                &format!("{sourced}account = {{ username = '', password-file = 'Cargo.toml' }}"),
                "no name",
                "username is empty",
            ),
            (
                &format!("{sourced}account = {{ username = 'j', password-file = 'not there' }}"),
                "no file",
                "failed to read the secret",
            ),
            (
                &format!(
                    "{sourced}account = {{ username = 'j', password-file = 'Cargo.toml', address = 'a@b' }}"
                ),
                "nothing to register",
                "register = true",
            ),
            (
                &format!(
                    "{sourced}account = {{ username = 'j', password-file = 'Cargo.toml', register = true, expires-s = 1 }}"
                ),
                "too short",
                "take 60 to 86400",
            ),
        ];
        for (text, what, message) in cases {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(message), "{what}: {error}");
        }
    }

    #[test]
    fn a_number_is_of_one_and_is_written_as_all_would_dial_it() {
        let instance = |id: &str, written: &str| ApplicationInstance {
            id: id.to_owned(),
            app: "bot".into(),
            tenant: "t".into(),
            numbers: numbers(&[written.to_owned()], "it").unwrap(),
            is_withheld: false,
        };
        let tenant = |dial_in: &[&str]| Tenant {
            id: "t".into(),
            name: "T".to_owned(),
            grants: Default::default(),
            access_policies: Default::default(),
            dial_in_numbers: dial_in.iter().map(|number| number.parse().unwrap()).collect(),
        };
        let directory = |instances: Vec<ApplicationInstance>, dial_in: &[&str]| Directory {
            instances: instances.into_iter().map(|instance| (instance.id.clone(), instance)).collect(),
            tenants: [("t".into(), tenant(dial_in))].into(),
            ..Directory::default()
        };
        let (a, b) = (instance("a", "+1 (201) 555-0123"), instance("b", "+12015550123"));
        let error = check(&directory(vec![a.clone(), b], &[])).unwrap_err().to_string();
        assert!(error.contains("+12015550123, which the application instance a has"), "{error}");
        let error = check(&directory(vec![a.clone()], &["+12015550123"])).unwrap_err().to_string();
        assert!(error.contains("the tenant t, to dial in"), "{error}");
        assert!(check(&directory(vec![a], &["+12015550124"])).is_ok());
        let error = numbers(&["201 555 0123".to_owned()], "the tenant t").unwrap_err().to_string();
        assert!(
            error.starts_with("the tenant t has the number '201 555 0123': ") && error.contains("+"),
            "{error}"
        );
    }

    #[test]
    fn a_budget_is_small_where_nobody_says_more() {
        assert_eq!(budget(None), TrunkBudget { calls_per_day: 200, minutes_per_day: 600 });
        let entry: BudgetEntry = toml::from_str("calls-per-day = 0").unwrap();
        assert_eq!(budget(Some(&entry)), TrunkBudget { calls_per_day: 0, minutes_per_day: 600 });
    }
}
