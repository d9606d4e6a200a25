//! The file that `hookswitch directory apply` reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use model::{
    AccessPolicy, Application, ApplicationInstance, Directory, Ha1, Permission, Script, ScriptAnswer, Tenant,
    TenantId, Tone, User,
};
use serde::Deserialize;

use crate::directory::ha1;
use crate::directory_meetings::{self, MeetingEntry, Meetings};
use crate::directory_trunks::{self, BudgetEntry, TrunkEntry};

/// A directory file as it is written. Unknown keys are refused, so that a misspelt one does not go unnoticed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    tenants: Vec<TenantEntry>,
    #[serde(default)]
    applications: Vec<ApplicationEntry>,
    #[serde(default)]
    users: Vec<UserEntry>,
    #[serde(default)]
    instances: Vec<InstanceEntry>,
    #[serde(default)]
    meetings: Vec<MeetingEntry>,
    #[serde(default)]
    trunks: Vec<TrunkEntry>,
}

/// Everything that a directory file describes.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) directory: Directory,
    pub(crate) meetings: Meetings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TenantEntry {
    id: String,
    name: String,
    /// Permissions by application.
    #[serde(default)]
    grants: BTreeMap<String, Vec<String>>,
    /// For whom applications may make and read meetings, by application.
    #[serde(default)]
    access_policies: BTreeMap<String, PolicyEntry>,
    /// Numbers by which people dial in to meetings.
    #[serde(default)]
    dial_in_numbers: Vec<String>,
}

/// `"all"`, or a list of users.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PolicyEntry {
    All(All),
    Users(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum All {
    All,
}

impl From<PolicyEntry> for AccessPolicy {
    fn from(entry: PolicyEntry) -> Self {
        match entry {
            PolicyEntry::All(All::All) => Self::All,
            PolicyEntry::Users(users) => Self::Users(users.iter().map(|user| user.as_str().into()).collect()),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ApplicationEntry {
    id: String,
    name: String,
    /// What people dial in place of the id.
    alias: Option<String>,
    #[serde(default)]
    secret_files: Vec<PathBuf>,
    #[serde(default)]
    assertion_key_files: Vec<PathBuf>,
    webhook: Option<String>,
    #[serde(default = "yes")]
    calling_enabled: bool,
    trunk_budget: Option<BudgetEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UserEntry {
    id: String,
    tenant: String,
    name: String,
    address: String,
    password_file: Option<PathBuf>,
    script: Option<ScriptEntry>,
    /// Whether the console is open to them.
    #[serde(default)]
    administrator: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct InstanceEntry {
    id: String,
    application: String,
    tenant: String,
    #[serde(default)]
    numbers: Vec<String>,
    /// One number, as another way to write a list of one.
    number: Option<String>,
    #[serde(default)]
    withheld: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ScriptEntry {
    /// `answer`, `busy`, `declined` or `never`.
    #[serde(default = "answer")]
    takes: String,
    #[serde(default)]
    after_ms: u64,
    play: Option<String>,
    tone_hz: Option<u32>,
    #[serde(default)]
    echo: bool,
    /// Keys with their times: `["1 at 2000", "# at 2300"]`.
    #[serde(default)]
    keys: Vec<String>,
    hang_up_after_s: Option<u64>,
}

const fn yes() -> bool {
    true
}

fn answer() -> String {
    "answer".to_owned()
}

/// Reads a directory file.
///
/// Secrets are read from the files that it names, relative to its own folder. A secret that `present` already holds
/// keeps its hash, so that applying a file twice changes nothing.
pub(crate) fn read(path: &Path, realm: &str, present: &Directory) -> Result<Described> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let file: File =
        toml::from_str(&text).with_context(|| format!("{} is not a directory file", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut directory = Directory::default();
    for entry in file.tenants {
        let tenant = tenant(entry)?;
        put(&mut directory.tenants, tenant.id.clone(), tenant, "tenant")?;
    }
    for entry in file.applications {
        let application = application(entry, folder, present)?;
        put(&mut directory.applications, application.id.clone(), application, "application")?;
    }
    for entry in file.users {
        let user = user(entry, folder, realm)?;
        put(&mut directory.users, user.id.clone(), user, "user")?;
    }
    for entry in file.instances {
        let instance = instance(entry)?;
        put(&mut directory.instances, instance.id.clone(), instance, "application instance")?;
    }
    for entry in file.trunks {
        let trunk = directory_trunks::trunk(entry, folder)?;
        put(&mut directory.trunks, trunk.id.clone(), trunk, "trunk")?;
    }
    check(&directory)?;
    let meetings = directory_meetings::read(file.meetings, &directory)?;
    Ok(Described { directory, meetings })
}

fn put<K: Ord + std::fmt::Display, V>(map: &mut BTreeMap<K, V>, id: K, value: V, kind: &str) -> Result<()> {
    if map.contains_key(&id) {
        bail!("the {kind} {id} is there twice; take one out");
    }
    map.insert(id, value);
    Ok(())
}

fn tenant(entry: TenantEntry) -> Result<Tenant> {
    let grants = entry.grants.into_iter().map(|(app, permissions)| {
        let permissions = permissions.into_iter().map(|name| permission(name, &entry.id));
        Ok((app.as_str().into(), permissions.collect::<Result<_>>()?))
    });
    let policies = entry.access_policies.into_iter();
    let policies = policies.map(|(app, policy)| (app.as_str().into(), policy.into()));
    let dial_in_numbers =
        directory_trunks::numbers(&entry.dial_in_numbers, &format!("the tenant {}", entry.id))?;
    Ok(Tenant {
        grants: grants.collect::<Result<_>>()?,
        id: TenantId::new(entry.id),
        name: entry.name,
        access_policies: policies.collect(),
        dial_in_numbers: dial_in_numbers.into_iter().collect(),
    })
}

/// A permission by its name. A misspelt one would grant nothing and say nothing.
fn permission(name: String, tenant: &str) -> Result<Permission> {
    let permission = Permission::from(name);
    if !permission.is_known() {
        let known = Permission::KNOWN.join(", ");
        bail!(
            "the tenant {tenant} grants '{permission}', which no part of the server knows; it knows {known}"
        );
    }
    Ok(permission)
}

fn application(entry: ApplicationEntry, folder: &Path, present: &Directory) -> Result<Application> {
    let alias = entry.alias.map(|alias| alias.to_ascii_lowercase());
    if let Some(alias) = alias.as_ref().filter(|alias| !Application::is_alias(alias)) {
        let (id, most) = (&entry.id, Application::MAX_ALIAS);
        bail!(
            "the application {id} has the alias '{alias}'; take at most {most} letters, digits and .-_+, a letter among them"
        );
    }
    let id = entry.id.as_str().into();
    let known: &[String] = present.applications.get(&id).map_or(&[], |there| &there.secret_hashes);
    let secret_hashes = entry
        .secret_files
        .iter()
        .map(|file| {
            let secret = secret(folder, file)?;
            match known.iter().find(|hash| identity::verify_secret(&secret, hash)) {
                Some(hash) => Ok(hash.clone()),
                None => identity::hash_secret(&secret).context("failed to hash a secret"),
            }
        })
        .collect::<Result<_>>()?;
    let assertion_keys = entry
        .assertion_key_files
        .iter()
        .map(|file| {
            let path = folder.join(file);
            std::fs::read_to_string(&path)
                .with_context(|| format!("failed to read the key {}", path.display()))
        })
        .collect::<Result<_>>()?;
    Ok(Application {
        id,
        name: entry.name,
        alias,
        secret_hashes,
        assertion_keys,
        webhook: entry.webhook,
        is_calling_enabled: entry.calling_enabled,
        trunk_budget: directory_trunks::budget(entry.trunk_budget.as_ref()),
    })
}

fn instance(entry: InstanceEntry) -> Result<ApplicationInstance> {
    let InstanceEntry { id, application, tenant, numbers, number, withheld: is_withheld } = entry;
    if number.is_some() && !numbers.is_empty() {
        bail!("the application instance {id} has both number and numbers; write all of them as numbers");
    }
    let numbers: Vec<String> = number.into_iter().chain(numbers).collect();
    let numbers = directory_trunks::numbers(&numbers, &format!("the application instance {id}"))?;
    let (app, tenant) = (application.as_str().into(), tenant.as_str().into());
    Ok(ApplicationInstance { id, app, tenant, numbers, is_withheld })
}

fn user(entry: UserEntry, folder: &Path, realm: &str) -> Result<User> {
    let address = entry.address.to_lowercase();
    if address.split('@').filter(|part| !part.is_empty()).count() != 2 {
        bail!("the user {} has the address '{address}'; write it as name@domain", entry.id);
    }
    let ha1: Option<Ha1> = entry
        .password_file
        .map(|file| anyhow::Ok(ha1(&address, realm, &secret(folder, &file)?)))
        .transpose()?;
    Ok(User {
        script: entry.script.map(|script| self::script(script, &entry.id)).transpose()?,
        id: entry.id.as_str().into(),
        tenant: entry.tenant.as_str().into(),
        name: entry.name,
        address,
        ha1,
        is_administrator: entry.administrator,
    })
}

fn script(entry: ScriptEntry, user: &str) -> Result<Script> {
    let answer = match entry.takes.as_str() {
        "answer" => ScriptAnswer::After(Duration::from_millis(entry.after_ms)),
        "busy" => ScriptAnswer::Busy,
        "declined" => ScriptAnswer::Declined,
        "never" => ScriptAnswer::Never,
        other => bail!("the script of {user} takes '{other}'; it takes answer, busy, declined or never"),
    };
    let keys = entry.keys.iter().map(|key| self::key(key, user)).collect::<Result<_>>()?;
    Ok(Script {
        answer,
        tone_hz: entry.tone_hz,
        play_file: entry.play,
        echo: entry.echo,
        keys,
        hang_up_after: entry.hang_up_after_s.map(Duration::from_secs),
    })
}

fn key(text: &str, user: &str) -> Result<(Duration, Tone)> {
    let parts = text.split_once(" at ").and_then(|(key, millis)| {
        let mut characters = key.trim().chars();
        let tone = Tone::from_key(characters.next()?).ok().filter(|_| characters.next().is_none())?;
        Some((Duration::from_millis(millis.trim().parse().ok()?), tone))
    });
    parts.with_context(|| {
        format!("the script of {user} has the key '{text}'; write it as '1 at 2000' (milliseconds)")
    })
}

pub(crate) fn secret(folder: &Path, file: &Path) -> Result<String> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("failed to read the secret {}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        bail!("{} is empty; it should hold a secret", path.display());
    }
    Ok(secret.to_owned())
}

/// Everything that is named must be there.
fn check(directory: &Directory) -> Result<()> {
    for tenant in directory.tenants.values() {
        let mut apps = tenant.grants.keys();
        if let Some(app) = apps.find(|app| !directory.applications.contains_key(*app)) {
            bail!("the tenant {} grants to the application {app}, which is not in the file", tenant.id);
        }
    }
    for tenant in directory.tenants.values() {
        let mut apps = tenant.access_policies.keys();
        if let Some(app) = apps.find(|app| !directory.applications.contains_key(*app)) {
            bail!("the tenant {} has an access policy for {app}, which is not in the file", tenant.id);
        }
        let policies = tenant.access_policies.values();
        let lists = policies.filter_map(|policy| match policy {
            AccessPolicy::All => None,
            AccessPolicy::Users(users) => Some(users),
        });
        let mut users = lists.flatten();
        if let Some(user) = users.find(|user| !directory.users.contains_key(*user)) {
            bail!(
                "the tenant {} has an access policy for the user {user}, who is not in the file",
                tenant.id
            );
        }
    }
    let mut users = directory.users.values();
    if let Some(user) = users.find(|user| !directory.tenants.contains_key(&user.tenant)) {
        bail!("the user {} is of the tenant {}, which is not in the file", user.id, user.tenant);
    }
    let is_known = |instance: &&ApplicationInstance| {
        directory.applications.contains_key(&instance.app) && directory.tenants.contains_key(&instance.tenant)
    };
    if let Some(instance) = directory.instances.values().find(|instance| !is_known(instance)) {
        bail!(
            "the application instance {} names an application or a tenant that is not in the file",
            instance.id
        );
    }
    check_aliases(directory)?;
    directory_trunks::check(directory)
}

/// Whoever dials an alias must mean this application and nobody else.
fn check_aliases(directory: &Directory) -> Result<()> {
    let mut takers: BTreeMap<String, String> = BTreeMap::new();
    for id in directory.applications.keys() {
        takers.insert(id.as_str().to_ascii_lowercase(), format!("the id of the application {id}"));
    }
    for id in directory.instances.keys() {
        takers.insert(id.to_ascii_lowercase(), format!("the id of the application instance {id}"));
    }
    for user in directory.users.values() {
        let name = user.address.split_once('@').map_or(user.address.as_str(), |(name, _)| name);
        takers.insert(user.id.as_str().to_ascii_lowercase(), format!("the id of the user {}", user.id));
        takers.insert(name.to_owned(), format!("what the user {} registers as", user.id));
    }
    for application in directory.applications.values() {
        let Some(alias) = &application.alias else { continue };
        let id = &application.id;
        if let Some(taker) = takers.get(alias) {
            bail!("the application {id} has the alias '{alias}', which is {taker}; take another");
        }
        takers.insert(alias.clone(), format!("the alias of the application {id}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use model::Directory;

    use super::read;
    use crate::directory::difference;

    const FILE: &str = r##"
        [[tenants]]
        id = "t"
        name = "Contoso"
        grants = { bot = ["Calls.Initiate.All"] }

        [[applications]]
        id = "bot"
        name = "Bot"
        secret-files = ["secret"]

        [[users]]
        id = "john"
        tenant = "t"
        name = "John"
        address = "John@Contoso.example"
        password-file = "secret"
        script = { takes = "answer", after-ms = 300, keys = ["1 at 2000", "# at 2300"] }
    "##;

    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, file: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("hookswitch-directory-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("secret"), "dev-secret\n").unwrap();
            std::fs::write(folder.join("directory.toml"), file).unwrap();
            Self(folder)
        }

        fn read(&self, present: &Directory) -> anyhow::Result<Directory> {
            Ok(read(&self.0.join("directory.toml"), "contoso.example", present)?.directory)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn applying_a_file_twice_changes_nothing_the_second_time() {
        let folder = Folder::with("twice", FILE);
        let first = folder.read(&Directory::default()).unwrap();
        assert_eq!(difference(&Directory::default(), &first).changes.len(), 3);

        let second = folder.read(&first).unwrap();
        assert!(difference(&first, &second).changes.is_empty());
    }

    #[test]
    fn a_trunk_and_numbers_are_told_of_and_change_nothing_the_second_time() {
        let more = "
            [[instances]]
            id = 'desk'
            application = 'bot'
            tenant = 't'
            number = '+1 234 567 8900'

            [[trunks]]
            id = 'carrier'
            tenant = 't'
            name = 'Carrier'
            host = 'carrier.example'
            sources = ['192.0.2.0/24']
            account = { username = 'john', password-file = 'secret', realm = 'carrier.example' }
        ";
        let folder = Folder::with("trunk", &format!("{FILE}\n{more}"));
        let first = folder.read(&Directory::default()).unwrap();
        let lines: Vec<_> =
            difference(&Directory::default(), &first).lines.iter().map(ToString::to_string).collect();
        assert_eq!(lines[3..], ["+ application instance desk (+12345678900)", "+ trunk carrier (Carrier)"]);
        assert!(difference(&first, &folder.read(&first).unwrap()).changes.is_empty());
        let removed = difference(&first, &Directory::default());
        assert!(removed.lines.iter().any(|line| line.to_string() == "- trunk carrier (Carrier)"));
    }

    #[test]
    fn what_is_no_longer_in_the_file_is_removed() {
        let folder = Folder::with("removed", "");
        let present = Folder::with("present", FILE).read(&Directory::default()).unwrap();

        let difference = difference(&present, &folder.read(&present).unwrap());

        let lines: Vec<_> = difference.lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["- tenant t (Contoso)", "- application bot (Bot)", "- user john (john@contoso.example)"]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_fix() {
        let cases = [
            ("tenant = 1", "unknown field `tenant`"),
            ("[[users]]\nid='j'\ntenant='t'\nname='J'\naddress='john'", "name@domain"),
            ("[[users]]\nid='j'\ntenant='t'\nname='J'\naddress='j@c'", "not in the file"),
            ("[[tenants]]\nid='t'\nname='T'\n[[tenants]]\nid='t'\nname='T'", "there twice"),
            ("[[tenants]]\nid='t'\nname='T'\ngrants={b=['Calls.Initate.All']}", "Calls.Initiate.All"),
            (
                "[[tenants]]\nid='t'\nname='T'\naccess-policies={b='all'}",
                "policy for b, which is not in the file",
            ),
            ("[[tenants]]\nid='t'\nname='T'\naccess-policies={b='some'}", "access-policies"),
            (
                "[[applications]]\nid='b'\nname='B'\n[[tenants]]\nid='t'\nname='T'\naccess-policies={b=['u']}",
                "policy for the user u, who is not in the file",
            ),
            (
                "[[trunks]]\nid='c'\ntenant='t'\nname='C'\nhost='h'\nallowed-prefixes=['+1']",
                "the trunk c is of the tenant t, which is not in the file",
            ),
            (
                "[[instances]]\nid='i'\napplication='b'\ntenant='t'\nnumber='+12345'\nnumbers=['+12346']",
                "both number and numbers",
            ),
            ("[[instances]]\nid='i'\napplication='b'\ntenant='t'\nnumber='12345'", "begins with +"),
            ("[[applications]]\nid='b'\nname='B'\nalias='a b'", "letters, digits and .-_+"),
            ("[[applications]]\nid='b'\nname='B'\nalias='+12345'", "a letter among them"),
        ];
        for (at, (file, message)) in cases.into_iter().enumerate() {
            let error = Folder::with(&format!("mistake{at}"), file).read(&Directory::default()).unwrap_err();
            assert!(format!("{error:#}").contains(message), "{error:#}");
        }
    }

    #[test]
    fn an_alias_that_is_somebody_elses_name_is_refused_and_says_whose() {
        let cases = [
            ("john", "what the user john registers as"),
            ("JOHN", "what the user john registers as"),
            ("other", "the id of the application other"),
            ("sales", "the alias of the application other"),
            ("desk", "the id of the application instance Desk"),
        ];
        for (at, (alias, whose)) in cases.into_iter().enumerate() {
            let more = format!(
                "[[applications]]\nid='other'\nname='Other'\nalias='sales'\n\
                 [[applications]]\nid='third'\nname='Third'\nalias='{alias}'\n\
                 [[instances]]\nid='Desk'\napplication='bot'\ntenant='t'\n"
            );
            let folder = Folder::with(&format!("alias{at}"), &format!("{FILE}\n{more}"));
            let error = format!("{:#}", folder.read(&Directory::default()).unwrap_err());
            assert!(
                error.contains("the application third has the alias") && error.contains(whose),
                "{error}"
            );
        }
    }

    #[test]
    fn an_alias_is_kept_in_lower_case() {
        let more = "[[applications]]\nid='other'\nname='Other'\nalias='Sales-Desk'\n";
        let directory =
            Folder::with("alias", &format!("{FILE}\n{more}")).read(&Directory::default()).unwrap();
        assert_eq!(directory.applications[&"other".into()].alias.as_deref(), Some("sales-desk"));
    }
}
