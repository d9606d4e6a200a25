//! Requests that are wrong get the documented error, and the server serves the next one.

use std::path::Path;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use testkit::{App, Bot, Options, Server, User, Webhook, bare, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PROGRAM, Stage, prompts};

const CALLS: &str = "/v1.0/communications/calls";

#[tokio::test]
async fn a_wrong_token_is_a_401_that_says_how_to_sign_in() {
    let stage = Stage::new().await;
    let good = stage.bot.token();
    let (head, signature) = good.rsplit_once('.').expect("a JWT");
    let cases = [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer nonsense".to_owned()),
        Some(format!("Basic {good}")),
        Some(format!("Bearer {head}.{}", signature.chars().rev().collect::<String>())),
        // {"alg":"none","typ":"JWT"}
        Some(format!(
            "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
            head.split('.').nth(1).unwrap_or_default()
        )),
        Some(format!("Bearer {}", "a".repeat(16_000))),
    ];
    for token in cases {
        let mut asking = bare(Method::GET, &format!("{CALLS}/2e1a0b00-2db4-4022-9570-243709c565ab"));
        if let Some(token) = &token {
            let value = HeaderValue::from_str(token).expect("a token is plain text");
            asking.headers_mut().insert(AUTHORIZATION, value);
        }
        let reply = request(stage.server.http(), asking).await.expect(401);
        assert_eq!(reply.error_code(), "InvalidAuthenticationToken", "{token:?}");
        assert!(reply.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer")), "{reply}");
    }
}

#[tokio::test]
async fn a_token_for_notifications_is_no_token_for_calls() {
    let stage = Stage::new().await;
    let call = stage.call(User::USER2).await;
    let end = stage.webhook.expect_end(&call).await;
    let token = end.header("authorization").strip_prefix("Bearer ").expect("a token").to_owned();

    let bot = Bot::with_token(&stage.server, &token);

    assert_eq!(bot.show(&call).await.expect(401).error_code(), "InvalidAuthenticationToken");
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_clients_expect() {
    let stage = Stage::new().await;
    let ask = async |tenant: &str, app: &str, secret: &str| {
        let reply = Bot::ask_for_token(&stage.server, tenant, app, secret).await;
        (reply.status.as_u16(), reply.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    let bot = App::CALLING_BOT.id;

    assert_eq!(ask(App::CONTOSO, bot, "wrong").await, (401, "invalid_client".to_owned()));
    assert_eq!(ask(App::CONTOSO, "nobody", App::SECRET).await, (401, "invalid_client".to_owned()));
    assert_eq!(ask("nowhere", bot, App::SECRET).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_server_that_leaves_tokens_to_others_issues_none() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_token_endpoint.toml");
    let settings = r#"
        [identity]
        token_endpoint = false
        [[identity.trusted_issuers]]
        issuer = "https://keycloak.example/realms/voice"
        audience = "calls"
        jwks_url = "https://keycloak.example/realms/voice/certs"
        role_claim = "realm_access.roles"
        tenant = "aa67bd4c-8475-432d-bd41-39f255720e0a"
    "#;
    std::fs::write(&file, settings).unwrap();
    let webhook = Webhook::start().await;
    let server = Server::start(PROGRAM, &webhook, Options::new().with("config", file.display())).await;
    let reply = Bot::ask_for_token(&server, App::CONTOSO, App::CALLING_BOT.id, App::SECRET).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn an_application_without_the_permission_is_refused() {
    let stage = Stage::new().await;
    let bot = Bot::signed_in(&stage.server, App::NO_RIGHTS, App::CONTOSO).await;
    assert_eq!(bot.create(&stage.request(User::USER2)).await.expect(403).error_code(), "7504");
}

#[tokio::test]
async fn a_call_in_another_tenant_or_anothers_name_is_refused() {
    let stage = Stage::new().await;
    let of = |member: &str, value: Value| stage.request(User::USER2).with(member, value);
    let source = |slot: &str, id: &str| {
        let mut identity = json!({"@odata.type": "#microsoft.graph.identitySet"});
        identity[slot] = json!({"@odata.type": "#microsoft.graph.identity", "id": id});
        of("source", json!({"@odata.type": "#microsoft.graph.participantInfo", "identity": identity}))
    };

    let other_tenant = stage.bot.create(&of("tenantId", json!(App::FABRIKAM))).await;
    assert_eq!(other_tenant.expect(403).error_code(), "7505");
    let other_app = stage.bot.create(&source("application", App::TEST_BOT.id)).await;
    assert_eq!(other_app.expect(403).error_code(), "7507");
    let person = stage.bot.create(&source("user", User::BOB.id)).await;
    assert_eq!(person.expect(403).error_code(), "7507");
    stage.bot.create(&source("application", App::CALLING_BOT.id)).await.expect(201);
}

#[tokio::test]
async fn a_call_of_another_tenant_is_refused_and_goes_on() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let elsewhere = Bot::signed_in(&stage.server, App::CALLING_BOT, App::FABRIKAM).await;

    assert_eq!(elsewhere.show(&call).await.expect(403).error_code(), "7505");
    assert_eq!(elsewhere.hang_up(&call).await.expect(403).error_code(), "7505");
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "established");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_wrong_body_is_a_400_that_names_the_place() {
    let stage = Stage::new().await;
    let good = stage.request(User::USER2);
    let target = |identity: Value| json!([{"identity": identity}]);
    let many: Vec<Value> = (0..9).map(|_| good.body()["targets"][0].clone()).collect();
    let cases = [
        ("callbackUri", Value::Null, "callbackUri"),
        ("callbackUri", json!(7), "callbackUri"),
        ("callbackUri", json!("not a url"), "callbackUri"),
        ("callbackUri", json!("http://bot.example.com/callback"), "callbackUri"),
        ("callbackUri", json!("ftp://127.0.0.1/callback"), "callbackUri"),
        ("callbackUri", json!(format!("https://bot.example.com/{}", "a".repeat(3000))), "callbackUri"),
        ("targets", Value::Null, "targets"),
        ("targets", json!([]), "targets"),
        ("targets", json!("John"), "targets"),
        ("targets", target(json!({})), "targets[0].identity"),
        ("targets", target(json!({"user": {"displayName": "John"}})), "targets[0].identity.user.id"),
        ("targets", target(json!({"phone": {"id": "12345"}})), "targets[0].identity.phone.id"),
        ("targets", json!(many), "targets"),
        ("mediaConfig", Value::Null, "mediaConfig"),
        ("mediaConfig", json!({}), "mediaConfig"),
        ("mediaConfig", json!({"@odata.type": "#microsoft.graph.call"}), "mediaConfig"),
        ("requestedModalities", json!(["smell"]), "requestedModalities[0]"),
        ("direction", json!("incoming"), "direction"),
        ("callChainId", json!("no guid"), "callChainId"),
        ("@odata.type", json!("#microsoft.graph.participant"), "@odata.type"),
    ];
    for (member, value, place) in cases {
        let reply = stage.bot.create(&good.clone().with(member, value.clone())).await.expect(400);
        let body = reply.json();
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(body["error"]["code"], "BadRequest", "{member}: {value}");
        assert!(message.contains(place), "{member}: {value} is refused with: {message}");
        assert!(body["error"]["innerError"]["request-id"].is_string(), "{body}");
    }
    assert!(stage.webhook.received().is_empty(), "{}", stage.webhook.summary());
}

#[tokio::test]
async fn malformed_json_is_a_400_with_line_and_column_and_trailing_commas_are_none() {
    let stage = Stage::new().await;
    let message = async |body: &str| {
        let reply = stage.bot.post_text(CALLS, body).await.expect(400);
        reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    };

    assert!(message("{\n  \"callbackUri\": }").await.contains("line 2, column 18"));
    assert!(message("").await.contains("line 1"));
    assert!(message("{\"a\": 1,,}").await.contains("line 1"));
    assert!(message(&"[".repeat(100_000)).await.contains("nested too deep"));
    let deep = format!("{{\"x\": {}1{}}}", "{\"y\":".repeat(200), "}".repeat(200));
    assert!(message(&deep).await.contains("nested too deep"));

    let body = stage.request(User::USER2).body().to_string();
    let commas = body.replace("]", ",]").replace("}", ",}");
    stage.bot.post_text(CALLS, &commas).await.expect(201);
}

#[tokio::test]
async fn a_number_without_an_application_instance_to_call_it_is_refused() {
    let stage = Stage::new().await;
    let good = stage.request(User::USER2);
    let phone = json!([good.body()["targets"][0], {"identity": {"phone": {"id": "+12345678901"}}}]);
    let reply = stage.bot.create(&good.with("targets", phone)).await.expect(403);
    assert_eq!(reply.error_code(), "7507", "{reply}");
    assert!(reply.to_string().contains("application instance"), "{reply}");
}

#[tokio::test]
async fn a_wrong_action_is_refused_and_the_call_goes_on() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let url = "https://cdn.contoso.com/cool.wav";
    let many: Vec<&str> = vec![url; 21];
    let cases = [
        ("playPrompt", json!({}), "prompts"),
        ("playPrompt", json!({"prompts": []}), "prompts"),
        ("playPrompt", json!({"prompts": [{"mediaInfo": {}}]}), "prompts[0]"),
        ("playPrompt", prompts(&["no url"]), "uri"),
        ("playPrompt", prompts(&["http://files.example.com/x.wav"]), "uri"),
        ("playPrompt", prompts(&["file:///etc/passwd"]), "uri"),
        ("playPrompt", prompts(&many), "prompts"),
        (
            "playPrompt",
            json!({"prompts": prompts(&[url])["prompts"], "clientContext": "x".repeat(257)}),
            "clientContext",
        ),
        ("recordResponse", json!({"maxRecordDurationInSeconds": 0}), "maxRecordDurationInSeconds"),
        ("recordResponse", json!({"maxRecordDurationInSeconds": 121}), "maxRecordDurationInSeconds"),
        ("recordResponse", json!({"initialSilenceTimeoutInSeconds": "5"}), "initialSilenceTimeoutInSeconds"),
        ("recordResponse", json!({"stopTones": ["x"]}), "stopTones[0]"),
        ("recordResponse", json!({"playBeep": 1}), "playBeep"),
        ("sendDtmfTones", json!({"tones": []}), "tones"),
        ("sendDtmfTones", json!({"tones": ["1"]}), "tones[0]"),
        ("sendDtmfTones", json!({"tones": ["tone1"], "delayBetweenTonesMs": -1}), "delayBetweenTonesMs"),
        ("subscribeToTone", json!({"clientContext": 7}), "clientContext"),
        ("subscribeToTone", json!([]), "$"),
    ];
    for (action, body, place) in cases {
        let reply = stage.bot.act(&call, action, &body).await.expect(400);
        let message = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(place), "{action} {body} is refused with: {message}");
    }
    let shown = stage.bot.show(&call).await.expect(200).json();
    assert_eq!(shown["state"], "established");
    stage.end(&call).await;
}

#[tokio::test]
async fn media_actions_before_the_answer_do_not_fit_the_state() {
    let stage = Stage::new().await;
    let call = stage.call(User::BOB).await;
    let body = prompts(&["https://cdn.contoso.com/cool.wav"]);
    assert_eq!(stage.bot.act(&call, "playPrompt", &body).await.expect(409).error_code(), "8585");
    stage.bot.hang_up(&call).await.expect(204);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_what_it_does_not_do_a_405() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let of_call = |path: &str| format!("{CALLS}/{call}{path}");
    let cases = [
        (format!("{CALLS}/2e1a0b00-2db4-4022-9570-243709c565ab"), "8522"),
        (format!("{CALLS}/nonsense"), "8522"),
        (of_call("/operations/2e1a0b00-2db4-4022-9570-243709c565ab"), "itemNotFound"),
        (of_call("/operations/nonsense"), "itemNotFound"),
        (of_call("/nothing"), "UnknownError"),
        ("/v1.0/nothing".to_owned(), "UnknownError"),
        ("/v9.9/communications/calls".to_owned(), "UnknownError"),
        ("/v1.0/communications/../../etc/passwd".to_owned(), "UnknownError"),
        ("/v1.0/communications/calls/%00".to_owned(), "UnknownError"),
    ];
    for (path, code) in cases {
        let reply = stage.bot.get(&path).await;
        assert_eq!((reply.status.as_u16(), reply.error_code()), (404, code.to_owned()), "{path}");
    }
    let reply = stage.bot.get(&of_call("/playPrompt")).await.expect(405);
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("POST")), "{reply}");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_json_is_not_read() {
    let stage = Stage::new().await;
    let long = format!("{{\"subject\": \"{}\"}}", "x".repeat(1024 * 1024));
    stage.bot.post_text(CALLS, &long).await.expect(413);

    let mut form = bare(Method::POST, CALLS).map(|_| Bytes::from_static(b"a=b"));
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    form.headers_mut().insert(CONTENT_TYPE, form_type);
    stage.bot.send(form).await.expect(415);

    stage.bot.create(&stage.request(User::USER2)).await.expect(201);
}

#[tokio::test]
async fn octets_that_are_no_http_cost_only_their_connection() {
    let stage = Stage::new().await;
    let huge = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000));
    let cases: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1.0/communications/calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1.0/communications/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzzzz",
        huge.as_bytes(),
    ];
    for octets in cases {
        let mut stream = TcpStream::connect(stage.server.http()).await.expect("the server listens");
        // The server may close before it has read everything.
        let _ = stream.write_all(octets).await;
        let mut answer = Vec::new();
        let _ = testkit::within("an answer or the end", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    stage.bot.create(&stage.request(User::USER2)).await.expect(201);
}

#[tokio::test]
async fn more_calls_than_an_application_may_have_are_a_429() {
    let stage = Stage::with(Options::new().with("limits.calls_per_app", "2")).await;
    let first = stage.call(User::BOB).await;
    stage.call(User::BOB).await;

    let refused = stage.bot.create(&stage.request(User::BOB)).await.expect(429);
    assert!(refused.header("retry-after").is_some(), "{refused}");

    stage.bot.hang_up(&first).await.expect(204);
    stage.webhook.expect_end(&first).await;
    stage.bot.create(&stage.request(User::BOB)).await.expect(201);
}
