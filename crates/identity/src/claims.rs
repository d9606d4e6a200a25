use model::{AppId, Permission, PermissionSet, TenantId, Timestamp};
use serde_json::{Map, Value};

use crate::{OutsideIssuer, TokenError};

/// Who a verified token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The application.
    pub app: AppId,
    /// The tenant.
    pub tenant: TenantId,
    /// The application permissions that the token carries.
    pub roles: PermissionSet,
    /// Whether the application speaks for itself.
    pub kind: PrincipalKind,
    /// When the token ends, without any allowance for clocks.
    pub expires_at: Timestamp,
}

/// Whether an application speaks for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// It does.
    Application,
    /// It speaks for a person who signed in; no calls endpoint takes that.
    Delegated,
}

/// The claims of a token whose signature holds.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A date in seconds since the epoch; a fraction, which RFC 7519 allows, is dropped.
    pub(crate) fn date(&self, name: &str) -> Option<Timestamp> {
        let number = self.0.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond the range ends up at its edge")]
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))?;
        seconds.checked_mul(1000).map(Timestamp::from_millis)
    }

    /// The audience: a string or several (RFC 7519, 4.1.3).
    pub(crate) fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Reads who a token of this server speaks for.
    pub(crate) fn own_principal(&self, expires_at: Timestamp) -> Result<Principal, TokenError> {
        let app = self.app().ok_or(TokenError::Malformed)?;
        let tenant = self.text("tid").map(TenantId::from).ok_or(TokenError::Malformed)?;
        let is_delegated = self.0.contains_key("scp") || self.text("idtyp") == Some("user");
        let kind = if is_delegated { PrincipalKind::Delegated } else { PrincipalKind::Application };
        Ok(Principal { app: AppId::from(app), tenant, roles: self.roles("roles"), kind, expires_at })
    }

    /// Reads who a token of an outside issuer speaks for.
    pub(crate) fn outside_principal(
        &self,
        issuer: &OutsideIssuer,
        expires_at: Timestamp,
    ) -> Result<Principal, TokenError> {
        let app = self.app().ok_or(TokenError::Malformed)?;
        let tenant = issuer.tenant.clone().or_else(|| self.text("tid").map(TenantId::from));
        let tenant = tenant.ok_or(TokenError::Malformed)?;
        let is_application = match &issuer.application_mark {
            Some(mark) => self.has(&mark.claim, &mark.value),
            None => self.is_of_known_application(app),
        };
        let kind = if is_application { PrincipalKind::Application } else { PrincipalKind::Delegated };
        let roles = self.roles(&issuer.role_claim);
        Ok(Principal { app: AppId::from(app), tenant, roles, kind, expires_at })
    }

    fn app(&self) -> Option<&str> {
        ["appid", "azp", "client_id"].iter().find_map(|name| self.text(name))
    }

    /// Whether a token is an application's own by what Entra ID and Keycloak say of that.
    ///
    /// A token is a person's unless something says otherwise: an issuer that says nothing needs a mark in the settings.
    /// People have scopes, and at Keycloak a session. Applications have, in Entra ID, `idtyp`, which is optional, or the
    /// same id as subject and as object; at Keycloak a service account; where RFC 9068, 2.2 is followed, themselves as
    /// subject.
    fn is_of_known_application(&self, app: &str) -> bool {
        let is_persons = ["scp", "sid", "session_state"].iter().any(|name| self.0.contains_key(*name));
        let subject = self.text("sub");
        let is_service_account = || {
            let account =
                self.text("preferred_username").and_then(|name| name.strip_prefix("service-account-"));
            account.is_some_and(|client| client.eq_ignore_ascii_case(app))
        };
        let is_applications = match self.text("idtyp") {
            Some(kind) => kind == "app",
            None => {
                subject == Some(app)
                    || (subject.is_some() && subject == self.text("oid"))
                    || is_service_account()
            }
        };
        is_applications && !is_persons
    }

    /// Whether a claim is this value, or has it among its values; the claim may be a path.
    fn has(&self, claim: &str, value: &str) -> bool {
        match self.at(claim) {
            Some(Value::String(found)) => found == value,
            Some(Value::Array(found)) => found.iter().any(|found| found.as_str() == Some(value)),
            _ => false,
        }
    }

    /// A claim by its name, or by a path such as `realm_access.roles`.
    fn at(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = names.next().and_then(|name| self.0.get(name))?;
        names.try_fold(first, |value, name| value.get(name))
    }

    fn roles(&self, path: &str) -> PermissionSet {
        match self.at(path) {
            Some(Value::Array(roles)) => {
                roles.iter().filter_map(Value::as_str).map(Permission::from).collect()
            }
            _ => PermissionSet::default(),
        }
    }
}
