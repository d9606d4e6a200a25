use serde_json::{Value, json};

/// The OpenID configuration of a tenant (`/{tenant}/v2.0/.well-known/openid-configuration`).
///
/// `base` is this server's address without a slash at the end. Clients insist on `authorization_endpoint` even where
/// they never sign anyone in; the server refuses what arrives there.
pub fn tenant_configuration(base: &str, tenant: &str) -> Value {
    json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "response_types_supported": ["token"],
        "grant_types_supported": ["client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "claims_supported":
            ["aud", "iss", "iat", "nbf", "exp", "appid", "idtyp", "oid", "roles", "sub", "tid", "uti", "ver"],
    })
}

/// The OpenID configuration of notification tokens (`/v1/.well-known/OpenIdConfiguration`).
pub fn notification_configuration(base: &str, issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/v1/.well-known/unused"),
        "jwks_uri": format!("{base}/v1/.well-known/keys"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
    })
}

#[cfg(test)]
mod tests {
    use super::{notification_configuration, tenant_configuration};

    #[test]
    fn every_address_in_the_documents_is_absolute_and_under_the_base() {
        let base = "https://localhost:8443";
        for document in [
            tenant_configuration(base, "common"),
            notification_configuration(base, "https://api.botframework.com"),
        ] {
            let members = document.as_object().unwrap();
            let addresses =
                members.iter().filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
            for (name, address) in addresses {
                assert!(address.as_str().unwrap().starts_with("https://localhost:8443/"), "{name}");
            }
        }
    }
}
