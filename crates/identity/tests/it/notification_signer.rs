//! The tokens that go with notifications.

use std::sync::Arc;
use std::time::Duration;

use identity::{NotificationSigner, NotificationSignerSettings};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::{AppId, TenantId};

use crate::support::{BOT, CONTOSO, FABRIKAM, NOW, key_ring};

fn signer() -> NotificationSigner {
    NotificationSigner::new(NotificationSignerSettings::default(), key_ring())
}

#[test]
fn a_receiver_can_verify_a_token_with_the_published_keys() {
    let signer = signer();
    let token = signer.bearer(&AppId::from(BOT), &TenantId::from(CONTOSO), NOW).unwrap();

    let jwks: JwkSet = serde_json::from_value(serde_json::to_value(signer.keys().jwks()).unwrap()).unwrap();
    let kid = jsonwebtoken::decode_header(&*token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[BOT]);
    validation.set_issuer(&["https://api.botframework.com"]);
    let claims = jsonwebtoken::decode::<serde_json::Value>(&*token, &key, &validation).unwrap().claims;
    assert_eq!(claims["tid"], CONTOSO);
    assert_eq!(claims["nbf"], NOW.as_secs());
    assert_eq!(claims["exp"], NOW.as_secs() + 3600);
}

#[test]
fn a_token_is_used_again_until_it_nears_its_end() {
    let (signer, app, tenant) = (signer(), AppId::from(BOT), TenantId::from(CONTOSO));
    let first = signer.bearer(&app, &tenant, NOW).unwrap();
    let again = signer.bearer(&app, &tenant, NOW.after(Duration::from_secs(2999))).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let renewed = signer.bearer(&app, &tenant, NOW.after(Duration::from_secs(3000))).unwrap();
    assert_ne!(first, renewed);
}

#[test]
fn each_application_and_tenant_has_its_own_token() {
    let signer = signer();
    let contoso = signer.bearer(&AppId::from(BOT), &TenantId::from(CONTOSO), NOW).unwrap();
    let fabrikam = signer.bearer(&AppId::from(BOT), &TenantId::from(FABRIKAM), NOW).unwrap();
    let other = signer.bearer(&AppId::from("other"), &TenantId::from(CONTOSO), NOW).unwrap();
    assert!(contoso != fabrikam && contoso != other && fabrikam != other);
}
