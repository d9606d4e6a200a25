use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{AppId, PermissionSet, PhoneNumber, TenantId, Tone, Trunk, TrunkBudget, TrunkId, UserId};

/// Who is known: a snapshot that is replaced whole when the directory changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Tenants by id.
    pub tenants: BTreeMap<TenantId, Tenant>,
    /// Applications by id.
    pub applications: BTreeMap<AppId, Application>,
    /// People by id.
    pub users: BTreeMap<UserId, User>,
    /// Application instances by id.
    pub instances: BTreeMap<String, ApplicationInstance>,
    /// Ways to the phone network by id.
    #[serde(default)]
    pub trunks: BTreeMap<TrunkId, Trunk>,
}

/// A directory and what is looked up in it often, found without going through all of it.
///
/// It reads as the [`Directory`] that it was made of, and cannot be changed.
#[derive(Clone, Debug, Default)]
pub struct IndexedDirectory {
    directory: Directory,
    /// Addresses, and the part of each before the `@`, in lower case; `None` where several users have the same.
    sip_names: BTreeMap<String, Option<UserId>>,
    /// Ids of users in lower case; `None` where several have the same.
    user_ids: BTreeMap<String, Option<UserId>>,
    /// Ids of applications in lower case; `None` where several have the same.
    app_ids: BTreeMap<String, Option<AppId>>,
    /// Aliases of applications in lower case; `None` where several have the same.
    aliases: BTreeMap<String, Option<AppId>>,
    /// Application instances by number; `None` where a number is not one's alone.
    instance_numbers: BTreeMap<PhoneNumber, Option<String>>,
    /// Tenants by the numbers that people dial in to meetings by; `None` where a number is not one's alone.
    dial_in_numbers: BTreeMap<PhoneNumber, Option<TenantId>>,
}

impl IndexedDirectory {
    /// The user of that id as clients write it: in any case, as long as that is nobody else's, too.
    pub fn user_by_id(&self, id: &UserId) -> Option<&User> {
        let in_any_case =
            || self.directory.users.get(self.user_ids.get(&id.as_str().to_ascii_lowercase())?.as_ref()?);
        self.directory.users.get(id).or_else(in_any_case)
    }

    /// The user that authenticates as `john` or `john@contoso.example`; a bare name only where it is nobody else's too.
    pub fn user_by_sip_name(&self, name: &str) -> Option<&User> {
        let id = self.sip_names.get(&name.to_ascii_lowercase())?.as_ref()?;
        self.directory.users.get(id)
    }

    /// The application that a phone reaches by its id or alias, in any case, where that is no other one's, too.
    pub fn application_by_sip_name(&self, name: &str) -> Option<&Application> {
        let name = name.to_ascii_lowercase();
        let id = self.app_ids.get(&name).or_else(|| self.aliases.get(&name))?.as_ref()?;
        self.directory.applications.get(id)
    }

    /// The application instance that a number is of, where it is no other one's, too.
    pub fn instance_by_number(&self, number: &PhoneNumber) -> Option<&ApplicationInstance> {
        self.directory.instances.get(self.instance_numbers.get(number)?.as_ref()?)
    }

    /// The tenant whose meetings people dial in to by that number, where it is no other one's, too.
    pub fn dial_in_tenant(&self, number: &PhoneNumber) -> Option<&Tenant> {
        self.directory.tenants.get(self.dial_in_numbers.get(number)?.as_ref()?)
    }
}

impl From<Directory> for IndexedDirectory {
    fn from(directory: Directory) -> Self {
        let (mut sip_names, mut user_ids) = (BTreeMap::new(), BTreeMap::new());
        for (id, user) in &directory.users {
            put_name(&mut user_ids, id.as_str().to_ascii_lowercase(), id);
            let address = user.address.to_ascii_lowercase();
            if let Some((local, _)) = address.split_once('@') {
                put_name(&mut sip_names, local.to_owned(), id);
            }
            put_name(&mut sip_names, address, id);
        }
        let (mut app_ids, mut aliases) = (BTreeMap::new(), BTreeMap::new());
        for (id, application) in &directory.applications {
            put_name(&mut app_ids, id.as_str().to_ascii_lowercase(), id);
            if let Some(alias) = &application.alias {
                put_name(&mut aliases, alias.to_ascii_lowercase(), id);
            }
        }
        let (mut instance_numbers, mut dial_in_numbers) = (BTreeMap::new(), BTreeMap::new());
        for (id, instance) in &directory.instances {
            instance.numbers.iter().for_each(|number| put_name(&mut instance_numbers, *number, id));
        }
        for (id, tenant) in &directory.tenants {
            tenant.dial_in_numbers.iter().for_each(|number| put_name(&mut dial_in_numbers, *number, id));
        }
        Self { directory, sip_names, user_ids, app_ids, aliases, instance_numbers, dial_in_numbers }
    }
}

fn put_name<N: Ord, T: Clone>(names: &mut BTreeMap<N, Option<T>>, name: N, id: &T) {
    names.entry(name).and_modify(|known| *known = None).or_insert_with(|| Some(id.clone()));
}

impl Deref for IndexedDirectory {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The id.
    pub id: TenantId,
    /// The name to show.
    pub name: String,
    /// Applications that the tenant knows, with what it granted each.
    pub grants: BTreeMap<AppId, PermissionSet>,
    /// For whom applications may make, read and change meetings (application access policies). None for whoever is not
    /// here, whatever else was granted.
    #[serde(default)]
    pub access_policies: BTreeMap<AppId, AccessPolicy>,
    /// Numbers by which people dial in to its meetings.
    #[serde(default)]
    pub dial_in_numbers: BTreeSet<PhoneNumber>,
}

impl Tenant {
    /// Whether a policy lets the application act on meetings for `user`.
    pub fn lets_act_for(&self, app: &AppId, user: &UserId) -> bool {
        match self.access_policies.get(app) {
            Some(AccessPolicy::All) => true,
            Some(AccessPolicy::Users(users)) => users.contains(user),
            None => false,
        }
    }
}

/// For whom an application may act on meetings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessPolicy {
    /// For everyone in the tenant.
    All,
    /// For these people.
    Users(BTreeSet<UserId>),
}

/// An application, a bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The id, a token's `appid`.
    pub id: AppId,
    /// The name to show.
    pub name: String,
    /// A name that people dial in place of the id, as [`Application::is_alias`] wants it.
    #[serde(default)]
    pub alias: Option<String>,
    /// Secrets as PHC strings (argon2id); any of them signs in.
    pub secret_hashes: Vec<String>,
    /// Public keys (PEM) that client assertions may be signed with.
    pub assertion_keys: Vec<String>,
    /// Where incoming calls are announced.
    pub webhook: Option<String>,
    /// Whether calling is enabled (7503 where not).
    pub is_calling_enabled: bool,
    /// What it may use of trunks in a day.
    #[serde(default)]
    pub trunk_budget: TrunkBudget,
}

impl Application {
    /// The longest alias in characters: as long as the part of an address before its `@` may be (RFC 5321, 4.5.3.1.1).
    pub const MAX_ALIAS: usize = 64;

    /// Whether this can be an alias: lower-case letters, digits, `.`, `-`, `_` and `+`, which nobody has to escape in a
    /// SIP URI (RFC 3261, 25.1). One letter at least, or it would read as a phone number.
    pub fn is_alias(text: &str) -> bool {
        let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_+".contains(c);
        text.len() <= Self::MAX_ALIAS
            && text.chars().all(is_fit)
            && text.contains(|c: char| c.is_ascii_lowercase())
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The tenant.
    pub tenant: TenantId,
    /// The name to show.
    pub name: String,
    /// The SIP address without scheme: `john@contoso.example`.
    pub address: String,
    /// What digest authentication compares with; `None` where the user has no password.
    pub ha1: Option<Ha1>,
    /// Stands in for the person while no phone or browser of theirs is registered.
    pub script: Option<Script>,
    /// Whether the console shows them the calls of all tenants.
    #[serde(default)]
    pub is_administrator: bool,
}

/// The digests of user name, realm and password (RFC 7616, 3.4.2), lower-case hexadecimal, for both spellings of the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ha1 {
    /// The realm that they hold for.
    pub realm: String,
    /// MD5 with the bare name.
    pub md5_local: String,
    /// MD5 with the whole address.
    pub md5_address: String,
    /// SHA-256 with the bare name.
    pub sha256_local: String,
    /// SHA-256 with the whole address.
    pub sha256_address: String,
}

/// An account that owns phone numbers for an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationInstance {
    /// The id.
    pub id: String,
    /// The application.
    pub app: AppId,
    /// The tenant.
    pub tenant: TenantId,
    /// Its numbers; the first is the one that calls are made from where nobody says another.
    #[serde(default, alias = "number", deserialize_with = "one_or_several")]
    pub numbers: Vec<PhoneNumber>,
    /// Whether those it calls do not learn the number (RFC 3323); the trunk's peer does where it is trusted.
    #[serde(default)]
    pub is_withheld: bool,
}

/// Reads numbers, also as earlier releases wrote them: one or none, and not held against any form. What is no number
/// could never be called, and is left out.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PhoneNumber>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        One(Option<String>),
        Several(Vec<PhoneNumber>),
    }
    Ok(match Numbers::deserialize(deserializer)? {
        Numbers::One(number) => number.and_then(|number| number.parse().ok()).into_iter().collect(),
        Numbers::Several(numbers) => numbers,
    })
}

/// What a scripted endpoint does in place of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// How it takes a call.
    pub answer: ScriptAnswer,
    /// A frequency in hertz that it plays after answering, if any.
    pub tone_hz: Option<u32>,
    /// A WAV file that it plays after answering, if any.
    pub play_file: Option<String>,
    /// Whether it sends back what it hears.
    pub echo: bool,
    /// Keys, each with its time after the answer.
    pub keys: Vec<(Duration, Tone)>,
    /// When it hangs up after the answer, if ever.
    pub hang_up_after: Option<Duration>,
}

/// How a scripted endpoint takes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptAnswer {
    /// It answers after this long.
    After(Duration),
    /// It is busy.
    Busy,
    /// It declines.
    Declined,
    /// It rings for ever.
    Never,
}

#[cfg(test)]
mod tests {
    use super::{Application, ApplicationInstance, Directory, IndexedDirectory, Tenant, User};
    use crate::{AppId, PhoneNumber, TenantId, TrunkBudget, UserId};

    fn directory(addresses: &[&str]) -> IndexedDirectory {
        let user = |address: &&str| User {
            id: UserId::from(format!("id of {address}").as_str()),
            tenant: TenantId::from("t"),
            name: "John".to_owned(),
            address: (*address).to_owned(),
            ha1: None,
            script: None,
            is_administrator: false,
        };
        let users = addresses.iter().map(user).map(|user| (user.id.clone(), user)).collect();
        Directory { users, ..Directory::default() }.into()
    }

    #[test]
    fn a_user_is_found_by_address_and_by_a_bare_name_that_is_nobody_elses() {
        let known =
            directory(&["John@contoso.example", "ann@contoso.example", "ann@fabrikam.example", "bob"]);
        let found = |name| known.user_by_sip_name(name).map(|user| user.address.as_str());
        assert_eq!(found("john@CONTOSO.example"), Some("John@contoso.example"));
        assert_eq!(found("JOHN"), Some("John@contoso.example"));
        assert_eq!(found("ann@fabrikam.example"), Some("ann@fabrikam.example"));
        assert_eq!(found("bob"), Some("bob"));
        for nobody in ["ann", "joh", "john@", "contoso.example", ""] {
            assert_eq!(found(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn what_several_users_have_names_none_of_them() {
        let known =
            directory(&["carol@contoso.example", "CAROL@contoso.example", "dan@contoso.example", "Dan"]);
        for name in ["carol", "carol@contoso.example", "dan"] {
            assert_eq!(known.user_by_sip_name(name), None, "{name}");
        }
        assert!(known.user_by_sip_name("dan@contoso.example").is_some());
    }

    #[test]
    fn an_id_is_found_in_any_case_but_not_where_that_is_not_told_apart() {
        let known = directory(&["ann", "bob", "BOB"]);
        let found = |id: &str| known.user_by_id(&UserId::from(id)).map(|user| user.address.as_str());
        assert_eq!(found("ID of Ann"), Some("ann"));
        assert_eq!((found("id of bob"), found("id of BOB")), (Some("bob"), Some("BOB")));
        assert_eq!((found("id of Bob"), found("id of")), (None, None));
    }

    fn applications(all: &[(&str, Option<&str>)]) -> IndexedDirectory {
        let application = |(id, alias): &(&str, Option<&str>)| Application {
            id: AppId::from(*id),
            name: "Bot".to_owned(),
            alias: alias.map(str::to_owned),
            secret_hashes: Vec::new(),
            assertion_keys: Vec::new(),
            webhook: None,
            is_calling_enabled: true,
            trunk_budget: TrunkBudget::default(),
        };
        let applications =
            all.iter().map(application).map(|application| (application.id.clone(), application)).collect();
        Directory { applications, ..Directory::default() }.into()
    }

    #[test]
    fn an_application_is_found_by_its_id_and_by_an_alias_that_is_no_other_ones() {
        let known =
            applications(&[("A1", Some("sales")), ("b2", None), ("c3", Some("b2")), ("d4", Some("b2"))]);
        let found = |name| known.application_by_sip_name(name).map(|app| app.id.as_str());
        assert_eq!((found("a1"), found("A1"), found("Sales")), (Some("A1"), Some("A1"), Some("A1")));
        assert_eq!(found("b2"), Some("b2"), "an id goes first");
        let known = applications(&[("a", Some("sales")), ("b", Some("SALES"))]);
        assert_eq!(known.application_by_sip_name("sales"), None);
    }

    #[test]
    fn an_alias_is_what_one_can_dial_and_is_no_number() {
        let longest = "a".repeat(Application::MAX_ALIAS);
        for alias in ["calling-bot", "a", "+a1", "x_y.z", &longest] {
            assert!(Application::is_alias(alias), "{alias}");
        }
        let too_long = format!("{longest}a");
        for alias in ["", "Bot", "+12345678900", "12", "a b", "a@b", "a%41", "b\u{f6}t", "a;b", &too_long] {
            assert!(!Application::is_alias(alias), "{alias}");
        }
    }
    #[test]
    fn a_number_leads_to_its_instance_and_to_no_one_where_it_is_of_several() {
        let number = |text: &str| PhoneNumber::parse(text).unwrap();
        let instance = |id: &str, numbers: &[&str]| ApplicationInstance {
            id: id.to_owned(),
            app: AppId::from("bot"),
            tenant: TenantId::from("t"),
            numbers: numbers.iter().map(|text| number(text)).collect(),
            is_withheld: false,
        };
        let instances =
            [instance("a", &["+15550001", "+15550002"]), instance("b", &["+15550002", "+15550003"])];
        let tenant = Tenant {
            id: TenantId::from("t"),
            name: "T".to_owned(),
            grants: [].into(),
            access_policies: [].into(),
            dial_in_numbers: [number("+15550009")].into(),
        };
        let known = IndexedDirectory::from(Directory {
            instances: instances.map(|instance| (instance.id.clone(), instance)).into(),
            tenants: [(tenant.id.clone(), tenant)].into(),
            ..Directory::default()
        });
        let found = |text| known.instance_by_number(&number(text)).map(|instance| instance.id.as_str());
        assert_eq!((found("+15550001"), found("+15550003")), (Some("a"), Some("b")));
        assert_eq!((found("+15550002"), found("+15550009")), (None, None));
        let dialled_in = |text| known.dial_in_tenant(&number(text)).map(|tenant| tenant.id.as_str());
        assert_eq!((dialled_in("+15550009"), dialled_in("+15550001")), (Some("t"), None));
    }
}
