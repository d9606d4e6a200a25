use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppId, PermissionSet, TenantId, Tone, UserId};

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
}

impl Directory {
    /// The user that authenticates as `john` or `john@contoso.example`; a bare name only where it is nobody else's too.
    pub fn user_by_sip_name(&self, name: &str) -> Option<&User> {
        let is_named = |user: &&User| {
            user.address.eq_ignore_ascii_case(name)
                || user.address.split_once('@').is_some_and(|(local, _)| local.eq_ignore_ascii_case(name))
        };
        let mut named = self.users.values().filter(is_named);
        match (named.next(), named.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
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
    /// Secrets as PHC strings (argon2id); any of them signs in.
    pub secret_hashes: Vec<String>,
    /// Public keys (PEM) that client assertions may be signed with.
    pub assertion_keys: Vec<String>,
    /// Where incoming calls are announced.
    pub webhook: Option<String>,
    /// Whether calling is enabled (7503 where not).
    pub is_calling_enabled: bool,
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

/// An account that owns a phone number for an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationInstance {
    /// The id.
    pub id: String,
    /// The application.
    pub app: AppId,
    /// The tenant.
    pub tenant: TenantId,
    /// E.164 with the plus.
    pub number: Option<String>,
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
