use std::sync::Arc;
use std::time::Duration;

use model::{AppId, Directory, Tenant, TenantId, Timestamp};
use serde_json::{Value, json};

use crate::assertion::{AssertionCheck, Expected};
use crate::failure_limit::FailureLimit;
use crate::secret_check::SecretCheck;
use crate::token_request::{Proof, TokenForm};
use crate::{EndpointVersion, IssuedToken, Issuer, OAuthError, TokenRequest, TokenSubject};

/// How the token endpoint behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEndpointSettings {
    /// The tenant that `common` means for an application that several tenants know.
    pub common_tenant: Option<TenantId>,
    /// How far the clocks of others may be off.
    pub clock_skew: Duration,
}

impl Default for TokenEndpointSettings {
    /// No tenant for `common`, and five minutes as Entra allows.
    fn default() -> Self {
        Self { common_tenant: None, clock_skew: Duration::from_secs(300) }
    }
}

/// Grants access tokens to applications that prove who they are (RFC 6749, 4.4).
#[derive(Debug)]
pub struct TokenEndpoint {
    settings: TokenEndpointSettings,
    issuer: Arc<Issuer>,
    secrets: SecretCheck,
    assertions: AssertionCheck,
    failures: FailureLimit,
}

/// A granted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenResponse {
    /// The application that it was granted to.
    pub app: AppId,
    /// The tenant that it is good for.
    pub tenant: TenantId,
    /// The token.
    pub token: IssuedToken,
    version: EndpointVersion,
}

impl TokenEndpoint {
    /// An endpoint that grants tokens of this issuer.
    pub fn new(settings: TokenEndpointSettings, issuer: Arc<Issuer>) -> Self {
        Self {
            settings,
            issuer,
            secrets: SecretCheck::new(),
            assertions: AssertionCheck::default(),
            failures: FailureLimit::new(),
        }
    }

    /// Grants or refuses a token.
    ///
    /// An unknown application and a wrong secret get the same answer after the same work. Only who has proven an
    /// application's secret learns more, for instance that the tenant does not know it.
    ///
    /// # Errors
    ///
    /// [`OAuthError`] for the caller: 400, 401, 429 after too many failures, 503 when too much is under way.
    pub async fn grant(
        &self,
        request: &TokenRequest<'_>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let form = request.read()?;
        let named = self.named_tenant(request.tenant, directory)?;
        let audience = self.audience(&form.resource)?;
        let app = find_app(directory, &form.client);
        let wait = self.failures.wait(&form.client, request.address, now);
        // Who has a proof that cannot be guessed is not held up by the failures of others behind the same address.
        if let Some(wait) = wait
            && !self.is_quick_proof(&form, app.as_ref(), directory)
        {
            return Err(OAuthError::wait(wait));
        }
        if let Err(error) = self.prove(&form, app.as_ref(), directory, now).await {
            if error.status == 401 {
                self.failures.record(&form.client, request.address, now);
                return Err(wait.map_or(error, OAuthError::wait));
            }
            return Err(error);
        }
        let app = app.ok_or_else(OAuthError::wrong_secret)?;
        let tenant = match named {
            Some(tenant) => tenant,
            None => self.common_tenant(&app, directory)?,
        };
        let roles = tenant.grants.get(&app).ok_or_else(OAuthError::app_not_in_tenant)?;
        let subject = TokenSubject { app: &app, tenant: &tenant.id, roles, audience: &audience };
        let token = self.issuer.issue(&subject, now);
        let token = token.map_err(|error| {
            tracing::error!(error = %error, "no access token can be signed");
            OAuthError::busy()
        })?;
        Ok(TokenResponse { app, tenant: tenant.id.clone(), token, version: request.version })
    }

    /// Looks whether the path's tenant exists, or is `common`.
    ///
    /// # Errors
    ///
    /// [`OAuthError`] 400 where it does not.
    pub fn ensure_tenant(&self, name: &str, directory: &Directory) -> Result<(), OAuthError> {
        self.named_tenant(name, directory).map(|_known| ())
    }

    /// Whether a proof is looked at in microseconds: a secret that was proven before, or a signature.
    fn is_quick_proof(&self, form: &TokenForm, app: Option<&AppId>, directory: &Directory) -> bool {
        let app = app.and_then(|app| directory.applications.get(app));
        match (&form.proof, app) {
            (Proof::Secret(secret), Some(app)) => self.secrets.is_remembered(app, secret),
            (Proof::Secret(_), None) => false,
            (Proof::Assertion(_), _) => true,
        }
    }

    async fn prove(
        &self,
        form: &TokenForm,
        app: Option<&AppId>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let app = app.and_then(|app| directory.applications.get(app));
        match &form.proof {
            Proof::Secret(secret) => {
                let rounds = directory.applications.values().map(|app| app.secret_hashes.len()).max();
                let is_proven = self.secrets.is_proven(app, secret, rounds.unwrap_or(1)).await?;
                if is_proven { Ok(()) } else { Err(OAuthError::wrong_secret()) }
            }
            Proof::Assertion(assertion) => {
                let unsigned =
                    || OAuthError::wrong_assertion("it is not signed with a key of the application");
                let audiences = self.assertion_audiences(directory);
                let expected = Expected { audiences: &audiences, clock_skew: self.settings.clock_skew, now };
                self.assertions
                    .check(app.ok_or_else(unsigned)?, assertion, &expected)
                    .map_err(OAuthError::wrong_assertion)
            }
        }
    }

    /// The tenant that the path names; `None` for `common` and its like.
    fn named_tenant<'d>(
        &self,
        name: &str,
        directory: &'d Directory,
    ) -> Result<Option<&'d Tenant>, OAuthError> {
        if is_common(name) {
            return Ok(None);
        }
        let mut ids =
            directory.tenants.values().filter(|tenant| tenant.id.as_str().eq_ignore_ascii_case(name));
        let mut names = directory.tenants.values().filter(|tenant| tenant.name.eq_ignore_ascii_case(name));
        match (ids.next(), names.next(), names.next()) {
            (Some(tenant), _, _) | (None, Some(tenant), None) => Ok(Some(tenant)),
            _ => Err(OAuthError::unknown_tenant(name)),
        }
    }

    fn common_tenant<'d>(&self, app: &AppId, directory: &'d Directory) -> Result<&'d Tenant, OAuthError> {
        let knows = |tenant: &&Tenant| tenant.grants.contains_key(app);
        let preferred = self.settings.common_tenant.as_ref().and_then(|id| directory.tenants.get(id));
        if let Some(tenant) = preferred.filter(knows) {
            return Ok(tenant);
        }
        let mut knowing = directory.tenants.values().filter(knows);
        match (knowing.next(), knowing.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(OAuthError::tenant_needed()),
            (None, _) => Err(OAuthError::app_not_in_tenant()),
        }
    }

    /// The audience that the resource names, spelled as the settings spell it.
    fn audience(&self, resource: &str) -> Result<String, OAuthError> {
        let plain = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        let settings = self.issuer.settings();
        let mut served = settings.audiences.iter().chain(&settings.bases);
        let found = served.find(|audience| plain(audience) == plain(resource));
        found.cloned().ok_or_else(|| OAuthError::unknown_resource(resource))
    }

    /// What an assertion may name as its audience: this server's endpoints, under the addresses of the settings only.
    ///
    /// Never the address of the request's `Host` header: whoever holds an assertion made for another server could
    /// choose that.
    fn assertion_audiences(&self, directory: &Directory) -> Vec<String> {
        let tenants =
            directory.tenants.values().flat_map(|tenant| [tenant.id.as_str(), tenant.name.as_str()]);
        let tenants: Vec<_> = tenants.chain(COMMON).collect();
        let of_base = |base: &String| {
            let of_tenant = |tenant: &&str| {
                ["oauth2/v2.0/token", "oauth2/token", "v2.0"].map(|path| format!("{base}/{tenant}/{path}"))
            };
            tenants.iter().flat_map(of_tenant).collect::<Vec<_>>()
        };
        self.issuer.settings().bases.iter().flat_map(of_base).collect()
    }
}

impl TokenResponse {
    /// The body to send: the first version's endpoint writes numbers as strings, and more of them.
    pub fn body(&self) -> Value {
        let token = &self.token;
        let lifetime = token.expires_at.since(token.issued_at).as_secs();
        match self.version {
            EndpointVersion::V1 => json!({
                "token_type": "Bearer",
                "expires_in": lifetime.to_string(),
                "ext_expires_in": lifetime.to_string(),
                "expires_on": token.expires_at.as_secs().to_string(),
                "not_before": token.issued_at.as_secs().to_string(),
                "resource": token.audience,
                "access_token": token.token,
            }),
            EndpointVersion::V2 => json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token.token,
            }),
        }
    }
}

/// Names that stand for whatever tenant the application belongs to.
const COMMON: [&str; 2] = ["common", "organizations"];

fn is_common(name: &str) -> bool {
    COMMON.iter().any(|common| common.eq_ignore_ascii_case(name))
}

fn find_app(directory: &Directory, client: &str) -> Option<AppId> {
    let exact = AppId::from(client);
    if directory.applications.contains_key(&exact) {
        return Some(exact);
    }
    directory.applications.keys().find(|id| id.as_str().eq_ignore_ascii_case(client)).cloned()
}
