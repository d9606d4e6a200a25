use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{AppId, PermissionSet, TenantId, Timestamp};
use serde::Serialize;
use uuid::{Builder, Uuid};

use crate::{KeyError, KeyRing, random};

/// How access tokens look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The `iss` of tokens; `{tenantid}` stands for the tenant.
    pub issuer: String,
    /// The addresses that this server is reached at, without a slash at the end; discovery shows the first.
    pub bases: Vec<String>,
    /// The resources that tokens are issued for and accepted with.
    pub audiences: Vec<String>,
    /// How long a token is good.
    pub lifetime: Duration,
}

impl Default for IssuerSettings {
    /// The names and the lifetime that Graph's own tokens have.
    fn default() -> Self {
        Self {
            issuer: "https://sts.windows.net/{tenantid}/".to_owned(),
            bases: Vec::new(),
            audiences: vec![
                "https://graph.microsoft.com".to_owned(),
                "00000003-0000-0000-c000-000000000000".to_owned(),
            ],
            lifetime: Duration::from_secs(3600),
        }
    }
}

/// Issues access tokens, in the first version's format as Graph's are.
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    keys: KeyRing,
}

/// An access token with what the token endpoint says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token in compact form. A secret.
    pub token: String,
    /// The resource that it is for.
    pub audience: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whom a token is for, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSubject<'a> {
    /// The application.
    pub app: &'a AppId,
    /// The tenant.
    pub tenant: &'a TenantId,
    /// What the tenant granted the application.
    pub roles: &'a PermissionSet,
    /// The resource.
    pub audience: &'a str,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    aud: &'a str,
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    appid: &'a AppId,
    appidacr: &'static str,
    idp: &'a str,
    idtyp: &'static str,
    oid: Uuid,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
    sub: Uuid,
    tid: &'a TenantId,
    uti: String,
    ver: &'static str,
}

impl Issuer {
    /// An issuer with these keys.
    pub fn new(settings: IssuerSettings, keys: KeyRing) -> Self {
        Self { settings, keys }
    }

    /// The keys, to publish and to rotate.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// How tokens look.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Issues a token to an application that has proven who it is.
    ///
    /// Signing takes 1.4 ms of CPU.
    ///
    /// # Errors
    ///
    /// [`KeyError::Sign`] where there is no key yet.
    pub fn issue(&self, subject: &TokenSubject<'_>, now: Timestamp) -> Result<IssuedToken, KeyError> {
        self.issue_for(self.settings.lifetime, subject, now)
    }

    /// The same for a lifetime of its own.
    ///
    /// # Errors
    ///
    /// As [`Issuer::issue`].
    pub fn issue_for(
        &self,
        lifetime: Duration,
        subject: &TokenSubject<'_>,
        now: Timestamp,
    ) -> Result<IssuedToken, KeyError> {
        let TokenSubject { app, tenant, roles, audience } = *subject;
        let issuer = self.issuer_of(tenant);
        let principal = service_principal(app, tenant);
        let expires_at = now.after(lifetime);
        let claims = AccessClaims {
            aud: audience,
            iss: &issuer,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: expires_at.as_secs(),
            appid: app,
            appidacr: "1",
            idp: &issuer,
            idtyp: "app",
            oid: principal,
            roles: roles.iter().map(model::Permission::as_str).collect(),
            sub: principal,
            tid: tenant,
            uti: URL_SAFE_NO_PAD.encode(random::bytes::<16>()),
            ver: "1.0",
        };
        let token = self.keys.sign(&claims, now)?;
        Ok(IssuedToken { token, audience: audience.to_owned(), issued_at: now, expires_at })
    }

    /// Whether `issuer` is one of the names that this server's own tokens carry, in either format.
    pub(crate) fn is_issuer_of(&self, issuer: &str, tenant: &str) -> bool {
        issuer == self.settings.issuer.replace("{tenantid}", tenant)
            || self.settings.bases.iter().any(|base| {
                issuer.strip_prefix(base.as_str()).and_then(|rest| rest.strip_prefix('/')).is_some_and(
                    |path| {
                        path.strip_suffix("/v2.0")
                            .or_else(|| path.strip_suffix('/'))
                            .is_some_and(|id| id == tenant)
                    },
                )
            })
    }

    fn issuer_of(&self, tenant: &TenantId) -> String {
        self.settings.issuer.replace("{tenantid}", tenant.as_str())
    }
}

/// The id of an application in one tenant (`oid`): the same on every node and after every restart.
fn service_principal(app: &AppId, tenant: &TenantId) -> Uuid {
    let name = format!("{tenant}/{app}");
    let hash = digest(&SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.as_ref()) {
        *byte = *hashed;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}
