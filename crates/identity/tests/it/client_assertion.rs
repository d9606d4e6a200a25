//! Client assertions (RFC 7523) at the token endpoint.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use identity::{OAuthError, TokenEndpoint, TokenResponse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use model::{AppId, Directory};
use serde_json::{Value, json};

use crate::support::{BASE, BOT, CONTOSO, NOW, directory, endpoint, request};

struct Key {
    algorithm: Algorithm,
    private: EncodingKey,
    public: String,
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

static RSA: LazyLock<Key> = LazyLock::new(|| {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let private = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(private.as_ref())
    );
    Key {
        algorithm: Algorithm::RS256,
        private: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
        public: pem(public.as_ref()),
    }
});

static EC: LazyLock<Key> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let private = pair.to_pkcs8v1().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    Key {
        algorithm: Algorithm::ES256,
        private: EncodingKey::from_ec_der(private.as_ref()),
        public: pem(public.as_ref()),
    }
});

fn claims() -> Value {
    json!({
        "iss": BOT, "sub": BOT, "aud": format!("{BASE}/{CONTOSO}/oauth2/v2.0/token"),
        "jti": "one", "nbf": NOW.as_secs(), "exp": NOW.as_secs() + 600,
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn directory_with_keys() -> Directory {
    let mut directory = directory();
    let bot = directory.applications.get_mut(&AppId::from(BOT)).unwrap();
    bot.assertion_keys = vec![EC.public.clone(), RSA.public.clone()];
    directory
}

async fn grant(endpoint: &TokenEndpoint, key: &Key, claims: &Value) -> Result<TokenResponse, OAuthError> {
    let assertion = encode(&Header::new(key.algorithm), claims, &key.private).unwrap();
    grant_raw(endpoint, &assertion).await
}

async fn grant_raw(endpoint: &TokenEndpoint, assertion: &str) -> Result<TokenResponse, OAuthError> {
    let form = format!(
        "grant_type=client_credentials&client_id={BOT}&scope=https://graph.microsoft.com/.default\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={assertion}"
    );
    endpoint.grant(&request(CONTOSO, &form), &directory_with_keys(), NOW).await
}

#[tokio::test]
async fn an_assertion_signed_with_a_registered_key_gets_a_token() {
    for key in [&*RSA, &*EC] {
        let response = grant(&endpoint(), key, &claims()).await.unwrap();
        assert_eq!(response.app.as_str(), BOT);
    }
}

#[tokio::test]
async fn guesses_of_others_at_the_same_address_do_not_hold_an_assertion_up() {
    let endpoint = endpoint();
    for _ in 0..10 {
        assert_eq!(grant_raw(&endpoint, "guess").await.unwrap_err().status, 401);
    }
    assert_eq!(grant_raw(&endpoint, "guess").await.unwrap_err().status, 429);
    assert!(grant(&endpoint, &EC, &claims()).await.is_ok());
}

#[tokio::test]
async fn an_assertion_serves_once() {
    let endpoint = endpoint();
    assert!(grant(&endpoint, &EC, &claims()).await.is_ok());
    let replayed = grant(&endpoint, &EC, &claims()).await.unwrap_err();
    assert_eq!((replayed.status, replayed.error), (401, "invalid_client"));
    assert!(replayed.message.contains("used already"), "{}", replayed.message);
    assert!(grant(&endpoint, &EC, &with("jti", json!("two"))).await.is_ok());
}

#[tokio::test]
async fn each_fault_of_an_assertion_is_named() {
    let cases = [
        (with("iss", json!("someone")), "issuer"),
        (with("sub", json!("someone")), "issuer"),
        (with("aud", json!("https://login.example/token")), "audience"),
        (with("exp", json!(NOW.as_secs() - 301)), "ended"),
        (with("exp", json!(NOW.as_secs() + 90_000)), "more than a day"),
        (with("exp", Value::Null), "no end"),
        (with("nbf", json!(NOW.as_secs() + 301)), "not begun"),
        (with("jti", Value::Null), "no id"),
    ];
    for (claims, reason) in cases {
        let refused = grant(&endpoint(), &EC, &claims).await.unwrap_err();
        assert_eq!(refused.status, 401);
        assert!(refused.message.contains(reason), "{} for {claims}", refused.message);
    }
}

#[tokio::test]
async fn a_forged_or_unsigned_assertion_is_refused() {
    let strangers = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let private = EncodingKey::from_ec_der(strangers.to_pkcs8v1().unwrap().as_ref());
    let forged = Key { algorithm: Algorithm::ES256, private, public: String::new() };
    assert_eq!(grant(&endpoint(), &forged, &claims()).await.unwrap_err().status, 401);

    let symmetric = EncodingKey::from_secret(RSA.public.as_bytes());
    let confused = Key { algorithm: Algorithm::HS256, private: symmetric, public: String::new() };
    assert_eq!(grant(&endpoint(), &confused, &claims()).await.unwrap_err().status, 401);

    for garbage in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(grant_raw(&endpoint(), garbage).await.unwrap_err().status, 401);
    }
}
