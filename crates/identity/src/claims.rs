use model::{AppId, Permission, PermissionSet, TenantId, Timestamp};
use serde_json::{Map, Value};

use crate::TokenError;

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

    /// Reads who the token speaks for; `role_claim` may be a path such as `realm_access.roles`.
    pub(crate) fn principal(
        &self,
        role_claim: &str,
        fixed_tenant: Option<&TenantId>,
        expires_at: Timestamp,
    ) -> Result<Principal, TokenError> {
        let app = ["appid", "azp", "client_id"].iter().find_map(|name| self.text(name));
        let tenant = fixed_tenant.cloned().or_else(|| self.text("tid").map(TenantId::from));
        let (Some(app), Some(tenant)) = (app, tenant) else {
            return Err(TokenError::Malformed);
        };
        let is_delegated = self.0.contains_key("scp") || self.text("idtyp") == Some("user");
        let kind = if is_delegated { PrincipalKind::Delegated } else { PrincipalKind::Application };
        Ok(Principal { app: AppId::from(app), tenant, roles: self.roles(role_claim), kind, expires_at })
    }

    fn roles(&self, path: &str) -> PermissionSet {
        let mut names = path.split('.');
        let first = names.next().and_then(|name| self.0.get(name));
        let found = names.try_fold(first, |value, name| value.map(|value| value.get(name)));
        match found.flatten() {
            Some(Value::Array(roles)) => {
                roles.iter().filter_map(Value::as_str).map(Permission::from).collect()
            }
            _ => PermissionSet::default(),
        }
    }
}
