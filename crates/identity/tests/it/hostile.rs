//! Whatever arrives is judged, never a panic.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{TokenEndpoint, TokenRequest, Verifier};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::support::{CONTOSO, NOW, directory, endpoint, issuer, request, verifier};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(issuer()));
static ENDPOINT: LazyLock<TokenEndpoint> = LazyLock::new(endpoint);

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn token(header: &str, claims: &str, signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(signature))
}

#[test]
fn nested_and_odd_claims_are_refused() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let header = r#"{"alg":"RS256","kid":"x"}"#;
    for claims in [
        "null",
        "[]",
        "{}",
        r#"{"iss":null}"#,
        r#"{"iss":"https://sts.windows.net//","tid":""}"#,
        r#"{"iss":["a"],"exp":1e400}"#,
        r#"{"iss":"x","exp":-99999999999999999999}"#,
        &format!(r#"{{"iss":"x","aud":{deep}}}"#),
    ] {
        let refused = runtime().block_on(VERIFIER.verify(&token(header, claims, b"x"), NOW));
        assert!(refused.is_err(), "{claims}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_is_a_token(text in ".{1,200}") {
        prop_assert!(runtime().block_on(VERIFIER.verify(&text, NOW)).is_err());
    }

    #[test]
    fn no_unsigned_parts_are_a_token(
        algorithm in "(none|HS256|RS256|ES256|PS512|EdDSA|[a-z]{0,4})",
        claims in "(\\{\"iss\":\"https://sts.windows.net/a/\",\"tid\":\"a\",\"exp\":[0-9eE.-]{1,30}\\}|.{0,60})",
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"x"}}"#);
        prop_assert!(runtime().block_on(VERIFIER.verify(&token(&header, &claims, &signature), NOW)).is_err());
    }

    #[test]
    fn no_form_without_a_proof_is_granted_a_token(
        form in prop::collection::vec(any::<u8>(), 0..300),
        authorization in ".{0,60}",
    ) {
        let request = TokenRequest { form: &form, authorization: Some(&authorization), ..request(CONTOSO, "") };
        prop_assert!(runtime().block_on(ENDPOINT.grant(&request, &directory(), NOW)).is_err());
    }
}
