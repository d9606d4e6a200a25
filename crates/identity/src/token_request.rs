use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use crate::OAuthError;

/// A request to the token endpoint as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The tenant in the path: an id, a name, or `common`.
    pub tenant: &'a str,
    /// Which of the two endpoints was asked.
    pub version: EndpointVersion,
    /// The body, a form.
    pub form: &'a [u8],
    /// The `Authorization` header, where there is one.
    pub authorization: Option<&'a str>,
    /// Where the request came from.
    pub address: IpAddr,
}

/// The two token endpoints, which answer a little differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointVersion {
    /// `/oauth2/token`, with `resource`.
    V1,
    /// `/oauth2/v2.0/token`, with `scope`.
    V2,
}

/// What the form says, decoded.
pub(crate) struct TokenForm {
    pub(crate) client: String,
    pub(crate) proof: Proof,
    pub(crate) resource: String,
}

/// How the application proves who it is.
pub(crate) enum Proof {
    Assertion(String),
    Secret(String),
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl TokenRequest<'_> {
    /// Reads the form.
    ///
    /// # Errors
    ///
    /// [`OAuthError`] naming the first parameter that is missing or wrong.
    pub(crate) fn read(&self) -> Result<TokenForm, OAuthError> {
        let grant = self.parameter("grant_type")?.ok_or_else(|| OAuthError::missing("grant_type"))?;
        if grant != "client_credentials" {
            return Err(OAuthError::unsupported_grant());
        }
        let basic = self.authorization.and_then(basic_credentials);
        let (basic_client, basic_secret) = basic.unzip();
        let client =
            self.parameter("client_id")?.or(basic_client).ok_or_else(|| OAuthError::missing("client_id"))?;
        let resource = self.resource()?;
        let proof = self.proof(basic_secret)?;
        Ok(TokenForm { client, proof, resource })
    }

    fn proof(&self, basic_secret: Option<String>) -> Result<Proof, OAuthError> {
        if let Some(secret) = self.parameter("client_secret")?.or(basic_secret) {
            return Ok(Proof::Secret(secret));
        }
        let assertion = self.parameter("client_assertion")?.ok_or_else(OAuthError::no_proof)?;
        match self.parameter("client_assertion_type")?.as_deref() {
            Some(ASSERTION_TYPE) => Ok(Proof::Assertion(assertion)),
            Some(_) => Err(OAuthError::malformed("client_assertion_type must be the one of RFC 7523")),
            None => Err(OAuthError::missing("client_assertion_type")),
        }
    }

    /// The resource, from `scope` or, at the first version's endpoint, from `resource`.
    fn resource(&self) -> Result<String, OAuthError> {
        let scope = self.parameter("scope")?;
        match (self.version, scope) {
            (EndpointVersion::V1, scope) => match (self.parameter("resource")?, scope) {
                (Some(resource), _) => Ok(resource),
                (None, Some(scope)) => resource_of(&scope),
                (None, None) => Err(OAuthError::missing("resource")),
            },
            (EndpointVersion::V2, Some(scope)) => resource_of(&scope),
            (EndpointVersion::V2, None) => Err(OAuthError::missing("scope")),
        }
    }

    /// A parameter, which must not come twice (RFC 6749, 3.2); an empty one counts as left out.
    fn parameter(&self, name: &str) -> Result<Option<String>, OAuthError> {
        let mut values =
            form_urlencoded::parse(self.form).filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(OAuthError::malformed(&format!("the parameter '{name}' comes twice"))),
            (first, _) => Ok(first.filter(|value| !value.is_empty()).map(Into::into)),
        }
    }
}

fn resource_of(scope: &str) -> Result<String, OAuthError> {
    let mut scopes = scope.split_ascii_whitespace();
    match (scopes.next().and_then(|scope| scope.strip_suffix("/.default")), scopes.next()) {
        (Some(resource), None) if !resource.is_empty() => Ok(resource.to_owned()),
        _ => Err(OAuthError::bad_scope(scope)),
    }
}

/// Reads `Basic` credentials, which are form-encoded first (RFC 6749, 2.3.1).
fn basic_credentials(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = decoded.split_once(':')?;
    let unescape = |text: &str| {
        form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
    };
    Some((unescape(client), unescape(secret)))
}
