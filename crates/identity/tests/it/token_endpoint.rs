//! What the token endpoint grants and refuses.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use identity::{
    EndpointVersion, OAuthError, TokenEndpoint, TokenEndpointSettings, TokenRequest, TokenResponse,
};
use model::TenantId;

use crate::support::{
    BASE, BOT, CONTOSO, FABRIKAM, NO_RIGHTS, NOW, directory, endpoint, form, issuer, request, roles,
};

async fn grant(request: TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    endpoint().grant(&request, &directory(), NOW).await
}

fn claims(token: &str) -> serde_json::Value {
    jsonwebtoken::dangerous::insecure_decode(token).unwrap().claims
}

#[tokio::test]
async fn a_right_secret_gets_a_token_with_graphs_claims() {
    let response = grant(request(CONTOSO, &form(BOT, "dev-secret"))).await.unwrap();

    let body = response.body();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    let claims = claims(body["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{CONTOSO}/"));
    assert_eq!(claims["appid"], BOT);
    assert_eq!(claims["tid"], CONTOSO);
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["ver"], "1.0");
    assert_eq!(claims["oid"], claims["sub"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let names: Vec<_> = roles().iter().map(ToString::to_string).collect();
    assert_eq!(claims["roles"], serde_json::json!(names));
    assert!(claims["uti"].is_string());
}

#[tokio::test]
async fn an_application_without_grants_gets_a_token_without_roles() {
    let response = grant(request(CONTOSO, &form(NO_RIGHTS, "dev-secret"))).await.unwrap();
    assert_eq!(claims(&response.token.token).get("roles"), None);
}

#[tokio::test]
async fn an_unknown_application_and_a_wrong_secret_are_told_the_same() {
    let wrong = grant(request(CONTOSO, &form(BOT, "guess"))).await.unwrap_err();
    let unknown = grant(request(CONTOSO, &form("nobody", "guess"))).await.unwrap_err();
    assert_eq!(wrong, unknown);
    assert_eq!((wrong.status, wrong.error, wrong.code), (401, "invalid_client", 7_000_215));
}

#[tokio::test]
async fn a_tenant_is_found_by_name_and_in_any_case() {
    for tenant in ["contoso", &CONTOSO.to_uppercase()] {
        let response = grant(request(tenant, &form(BOT, "dev-secret"))).await.unwrap();
        assert_eq!(response.tenant.as_str(), CONTOSO);
    }
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_or_does_not_know_the_application_is_refused() {
    let unknown = grant(request("northwind", &form(BOT, "dev-secret"))).await.unwrap_err();
    assert_eq!((unknown.status, unknown.code), (400, 90_002));
    let stranger = grant(request(FABRIKAM, &form(NO_RIGHTS, "dev-secret"))).await.unwrap_err();
    assert_eq!((stranger.status, stranger.error), (400, "unauthorized_client"));
}

#[tokio::test]
async fn common_means_the_only_tenant_or_the_one_of_the_settings() {
    let only = grant(request("common", &form(NO_RIGHTS, "dev-secret"))).await.unwrap();
    assert_eq!(only.tenant.as_str(), CONTOSO);
    let several = grant(request("common", &form(BOT, "dev-secret"))).await.unwrap_err();
    assert_eq!(several.code, 50_194);

    let settings = TokenEndpointSettings {
        common_tenant: Some(TenantId::from(CONTOSO)),
        ..TokenEndpointSettings::default()
    };
    let endpoint = TokenEndpoint::new(settings, issuer());
    let chosen = endpoint.grant(&request("common", &form(BOT, "dev-secret")), &directory(), NOW).await;
    assert_eq!(chosen.unwrap().tenant.as_str(), CONTOSO);
}

#[tokio::test]
async fn the_first_versions_endpoint_takes_a_resource_and_writes_numbers_as_strings() {
    let form = format!(
        "grant_type=client_credentials&client_id={BOT}&client_secret=dev-secret\
         &resource=https%3A%2F%2Fgraph.microsoft.com%2F"
    );
    let response =
        grant(TokenRequest { version: EndpointVersion::V1, ..request(CONTOSO, &form) }).await.unwrap();
    let body = response.body();
    assert_eq!(body["expires_in"], "3600");
    assert_eq!(body["not_before"], "1800000000");
    assert_eq!(body["expires_on"], "1800003600");
    assert_eq!(body["resource"], "https://graph.microsoft.com");
}

#[tokio::test]
async fn the_servers_own_address_is_a_resource_too() {
    let form = format!(
        "grant_type=client_credentials&client_id={BOT}&client_secret=dev-secret&scope={BASE}/.default"
    );
    let response = grant(request(CONTOSO, &form)).await.unwrap();
    assert_eq!(claims(&response.token.token)["aud"], BASE);
}

#[tokio::test]
async fn credentials_may_come_in_the_authorization_header() {
    let header = format!("Basic {}", STANDARD.encode(format!("{BOT}:dev%2Dsecret")));
    let form = "grant_type=client_credentials&scope=https://graph.microsoft.com/.default";
    let request = TokenRequest { authorization: Some(&header), ..request(CONTOSO, form) };
    assert_eq!(grant(request).await.unwrap().app.as_str(), BOT);
}

#[tokio::test]
async fn each_fault_of_the_form_has_its_error() {
    let cases = [
        ("", "invalid_request", 900_144),
        ("grant_type=password", "unsupported_grant_type", 70_003),
        ("grant_type=client_credentials", "invalid_request", 900_144),
        ("grant_type=client_credentials&client_id=a", "invalid_request", 900_144),
        ("grant_type=client_credentials&client_id=a&client_id=b", "invalid_request", 9_000_411),
        ("grant_type=client_credentials&client_id=a&scope=User.Read", "invalid_scope", 1_002_012),
        (
            "grant_type=client_credentials&client_id=a&scope=a/.default%20b/.default",
            "invalid_scope",
            1_002_012,
        ),
        ("grant_type=client_credentials&client_id=a&scope=a/.default", "invalid_client", 7_000_218),
        (
            "grant_type=client_credentials&client_id=a&scope=a/.default&client_assertion=x",
            "invalid_request",
            900_144,
        ),
        (
            "grant_type=client_credentials&client_id=a&scope=a/.default&client_secret=x",
            "invalid_resource",
            500_011,
        ),
        ("\u{0}\u{1}%%%=&&&==%f", "invalid_request", 900_144),
    ];
    for (form, error, code) in cases {
        let refused = grant(request(CONTOSO, form)).await.unwrap_err();
        assert_eq!((refused.error, refused.code), (error, code), "{form:?}");
    }
}

#[tokio::test]
async fn too_many_wrong_secrets_make_the_caller_wait_and_nobody_else() {
    let (endpoint, directory) = (endpoint(), directory());
    let wrong = form(BOT, "guess");
    for _ in 0..10 {
        assert_eq!(endpoint.grant(&request(CONTOSO, &wrong), &directory, NOW).await.unwrap_err().status, 401);
    }
    let refused = endpoint.grant(&request(CONTOSO, &wrong), &directory, NOW).await.unwrap_err();
    assert_eq!(refused.status, 429);
    assert!(refused.retry_after.is_some());

    let right = form(BOT, "dev-secret");
    let elsewhere =
        TokenRequest { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), ..request(CONTOSO, &right) };
    assert!(endpoint.grant(&elsewhere, &directory, NOW).await.is_ok());
}

#[tokio::test]
async fn a_secret_that_was_proven_before_is_not_held_up_by_guesses_from_the_same_address() {
    let (endpoint, directory) = (endpoint(), directory());
    let (right, wrong) = (form(BOT, "dev-secret"), form(BOT, "guess"));
    assert!(endpoint.grant(&request(CONTOSO, &right), &directory, NOW).await.is_ok());
    for _ in 0..11 {
        assert!(endpoint.grant(&request(CONTOSO, &wrong), &directory, NOW).await.is_err());
    }
    assert!(endpoint.grant(&request(CONTOSO, &right), &directory, NOW).await.is_ok());
}

#[tokio::test]
async fn a_remembered_secret_stops_working_when_the_directory_drops_it() {
    let (endpoint, mut directory) = (endpoint(), directory());
    let right = form(BOT, "dev-secret");
    assert!(endpoint.grant(&request(CONTOSO, &right), &directory, NOW).await.is_ok());
    for app in directory.applications.values_mut() {
        app.secret_hashes.clear();
    }
    assert_eq!(endpoint.grant(&request(CONTOSO, &right), &directory, NOW).await.unwrap_err().status, 401);
}
