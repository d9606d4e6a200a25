//! Which access tokens are accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use identity::{
    ApplicationMark, Issuer, IssuerSettings, KeySource, KeySourceError, KeySourceFuture, OutsideIssuer,
    PrincipalKind, TokenError, TokenSubject, Verifier, VerifierSettings,
};
use model::{AppId, Permission, TenantId};
use serde_json::{Value, json};

use crate::support::{BASE, BOT, CONTOSO, NOW, issuer, key_ring, roles, stranger, verifier};

fn token(issuer: &Issuer) -> String {
    let audience = "https://graph.microsoft.com";
    token_for(issuer, audience)
}

fn token_for(issuer: &Issuer, audience: &str) -> String {
    let (app, tenant, roles) = (AppId::from(BOT), TenantId::from(CONTOSO), roles());
    let subject = TokenSubject { app: &app, tenant: &tenant, roles: &roles, audience };
    issuer.issue(&subject, NOW).unwrap().token
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn an_own_token_speaks_for_its_application() {
    let issuer = issuer();
    let principal = verifier(Arc::clone(&issuer)).verify(&token(&issuer), NOW).await.unwrap();
    assert_eq!(principal.app.as_str(), BOT);
    assert_eq!(principal.tenant.as_str(), CONTOSO);
    assert_eq!(principal.roles, roles());
    assert_eq!(principal.kind, PrincipalKind::Application);
}

#[tokio::test]
async fn a_token_ends_with_five_minutes_of_grace_also_when_it_was_seen_before() {
    let issuer = issuer();
    let (token, seen, fresh) = (token(&issuer), verifier(Arc::clone(&issuer)), verifier(Arc::clone(&issuer)));
    assert!(seen.verify(&token, NOW.after(seconds(3899))).await.is_ok());
    assert_eq!(seen.verify(&token, NOW.after(seconds(3900))).await.unwrap_err(), TokenError::Expired);
    assert_eq!(fresh.verify(&token, NOW.after(seconds(3900))).await.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn a_token_is_not_taken_long_before_its_time() {
    let issuer = issuer();
    let token = token(&issuer);
    let early = model::Timestamp::from_millis(NOW.as_millis() - 301_000);
    let verifier = verifier(issuer);
    assert_eq!(verifier.verify(&token, early).await.unwrap_err(), TokenError::NotYetValid);
}

#[tokio::test]
async fn each_fault_of_a_token_has_its_name() {
    let (own, other) = (issuer(), stranger());
    let audience = token_for(&own, "https://vault.azure.net");
    let foreign = Issuer::new(
        IssuerSettings { issuer: "https://elsewhere.example/".to_owned(), ..IssuerSettings::default() },
        key_ring(),
    );
    let good = token(&own);
    let flipped = if good.ends_with('A') { "B" } else { "A" };
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let tampered = format!("{signed}.{flipped}{}", &signature[1..]);
    let cases = [
        (String::new(), TokenError::Missing),
        ("x".to_owned(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        ("x".repeat(100_000), TokenError::Malformed),
        (audience, TokenError::WrongAudience),
        (token(&other), TokenError::UnknownKey),
        (token(&foreign), TokenError::UnknownIssuer),
        (tampered, TokenError::BadSignature),
    ];
    let verifier = verifier(own);
    for (token, error) in cases {
        assert_eq!(verifier.verify(&token, NOW).await.unwrap_err(), error, "{token}");
    }
}

/// Signs whatever claims a test wants with an issuer of its own, and serves its keys.
struct Elsewhere {
    key: jsonwebtoken::EncodingKey,
    jwks: String,
    kid: String,
    fetches: Arc<AtomicUsize>,
    is_up: bool,
}

impl Elsewhere {
    fn new() -> Self {
        let key = identity::SigningKey::generate(NOW).unwrap();
        let stored = key.to_stored().unwrap();
        let ring = identity::KeyRing::new(identity::Rotation::default(), vec![key]);
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &stored.pkcs8)
        );
        Self {
            key: jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            jwks: serde_json::to_string(&ring.jwks()).unwrap(),
            kid: stored.kid,
            fetches: Arc::default(),
            is_up: true,
        }
    }

    fn token(&self, claims: &Value) -> String {
        self.token_with_kid(claims, &self.kid)
    }

    fn token_with_kid(&self, claims: &Value, kid: &str) -> String {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

impl KeySource for Elsewhere {
    fn fetch<'a>(&'a self, url: &'a str) -> KeySourceFuture<'a> {
        assert_eq!(url, "https://login.example/keys");
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let answer = if self.is_up { Ok(self.jwks.clone()) } else { Err(KeySourceError("down".to_owned())) };
        Box::pin(async move { answer })
    }
}

fn entra() -> OutsideIssuer {
    OutsideIssuer {
        issuer: "https://login.example/{tenantid}/v2.0".to_owned(),
        audiences: vec!["api://calls".to_owned()],
        jwks_url: "https://login.example/keys".to_owned(),
        role_claim: "roles".to_owned(),
        tenant: None,
        application_mark: None,
    }
}

fn keycloak() -> OutsideIssuer {
    OutsideIssuer {
        issuer: "https://login.example/realms/voice".to_owned(),
        role_claim: "realm_access.roles".to_owned(),
        tenant: Some(TenantId::from(CONTOSO)),
        ..entra()
    }
}

fn keycloak_claims() -> Value {
    json!({
        "iss": "https://login.example/realms/voice", "aud": "api://calls", "azp": "Bot", "scope": "email profile",
        "sub": "6f1c2b52-0000-4000-8000-000000000001", "preferred_username": "service-account-bot",
        "realm_access": { "roles": ["Calls.Initiate.All"] }, "exp": NOW.as_secs() + 60,
    })
}

fn v2_claims() -> Value {
    json!({
        "iss": format!("https://login.example/{CONTOSO}/v2.0"), "aud": ["api://other", "api://calls"],
        "azp": BOT, "tid": CONTOSO, "roles": ["Calls.JoinGroupCalls.All"], "ver": "2.0",
        "sub": "0d7a1f8b-0000-4000-8000-000000000002", "oid": "0d7a1f8b-0000-4000-8000-000000000002",
        "exp": NOW.as_secs() + 3600, "nbf": NOW.as_secs(),
    })
}

fn trusting(issuer: OutsideIssuer, source: Elsewhere) -> Verifier {
    Verifier::new(VerifierSettings::default(), None, vec![issuer], Box::new(source))
}

#[tokio::test]
async fn a_trusted_issuers_token_of_the_second_format_is_accepted() {
    let elsewhere = Elsewhere::new();
    let token = elsewhere.token(&v2_claims());
    let principal = trusting(entra(), elsewhere).verify(&token, NOW).await.unwrap();
    assert_eq!(principal.app.as_str(), BOT);
    assert!(principal.roles.has(Permission::JOIN_GROUP_CALL));
}

/// Who speaks with a token of these claims, of which some are changed; null takes one away.
async fn kind_of(issuer: OutsideIssuer, claims: Value, changed: Value) -> PrincipalKind {
    let Value::Object(mut claims) = claims else { panic!("claims are an object") };
    for (name, value) in changed.as_object().unwrap() {
        claims.insert(name.clone(), value.clone());
    }
    claims.retain(|_, value| !value.is_null());
    let elsewhere = Elsewhere::new();
    let token = elsewhere.token(&Value::Object(claims));
    trusting(issuer, elsewhere).verify(&token, NOW).await.unwrap().kind
}

#[tokio::test]
async fn only_what_is_known_to_be_an_applications_token_is_one() {
    use PrincipalKind::{Application, Delegated};
    let someone = "0d7a1f8b-0000-4000-8000-000000000003";
    for (changed, kind) in [
        (json!({}), Application),
        (json!({ "sub": someone }), Delegated),
        (json!({ "sub": someone, "idtyp": "app" }), Application),
        (json!({ "idtyp": "user" }), Delegated),
        (json!({ "scp": "OnlineMeetings.ReadWrite" }), Delegated),
        (json!({ "sub": null, "oid": null }), Delegated),
        (json!({ "sub": BOT, "oid": null }), Application),
    ] {
        assert_eq!(kind_of(entra(), v2_claims(), changed.clone()).await, kind, "{changed}");
    }
    for (changed, kind) in [
        (json!({}), Application),
        (json!({ "preferred_username": "john" }), Delegated),
        (json!({ "preferred_username": null }), Delegated),
        (json!({ "preferred_username": "service-account-other" }), Delegated),
        (json!({ "sid": "a-session" }), Delegated),
        (json!({ "session_state": "a-session" }), Delegated),
    ] {
        assert_eq!(kind_of(keycloak(), keycloak_claims(), changed.clone()).await, kind, "{changed}");
    }
}

#[tokio::test]
async fn a_mark_of_the_settings_alone_tells_applications_from_people() {
    use PrincipalKind::{Application, Delegated};
    let mark = ApplicationMark { claim: "gty".to_owned(), value: "client-credentials".to_owned() };
    let issuer = OutsideIssuer { application_mark: Some(mark), ..keycloak() };
    for (changed, kind) in [
        (json!({ "gty": "client-credentials", "sid": "a-session" }), Application),
        (json!({ "gty": ["other", "client-credentials"] }), Application),
        (json!({ "gty": "password" }), Delegated),
        (json!({}), Delegated),
    ] {
        assert_eq!(kind_of(issuer.clone(), keycloak_claims(), changed.clone()).await, kind, "{changed}");
    }
}

#[tokio::test]
async fn roles_may_lie_deeper_and_the_tenant_may_be_fixed() {
    let elsewhere = Elsewhere::new();
    let token = elsewhere.token(&keycloak_claims());
    let principal = trusting(keycloak(), elsewhere).verify(&token, NOW).await.unwrap();
    assert_eq!(principal.tenant.as_str(), CONTOSO);
    assert!(principal.roles.has(Permission::INITIATE));
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_key_list_be_fetched_over_and_over() {
    let elsewhere = Elsewhere::new();
    let fetches = Arc::clone(&elsewhere.fetches);
    let strangers: Vec<_> =
        (0..20).map(|number| elsewhere.token_with_kid(&v2_claims(), &number.to_string())).collect();
    let verifier = trusting(entra(), elsewhere);
    for token in &strangers {
        assert_eq!(verifier.verify(token, NOW).await.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    let later = NOW.after(seconds(30));
    assert_eq!(verifier.verify(&strangers[0], later).await.unwrap_err(), TokenError::UnknownKey);
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_not_the_callers_fault() {
    let elsewhere = Elsewhere { is_up: false, ..Elsewhere::new() };
    let token = elsewhere.token(&v2_claims());
    let refused = trusting(entra(), elsewhere).verify(&token, NOW).await.unwrap_err();
    assert_eq!(refused, TokenError::KeysUnavailable);
}

#[tokio::test]
async fn an_outside_issuer_cannot_speak_with_the_name_of_this_server() {
    let elsewhere = Elsewhere::new();
    let mut claims = v2_claims();
    claims["iss"] = json!(format!("{BASE}/{CONTOSO}/v2.0"));
    let token = elsewhere.token(&claims);
    let verifier =
        Verifier::new(VerifierSettings::default(), Some(issuer()), vec![entra()], Box::new(elsewhere));
    assert_eq!(verifier.verify(&token, NOW).await.unwrap_err(), TokenError::UnknownKey);
}
