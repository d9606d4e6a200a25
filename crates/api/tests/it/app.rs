use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use api::{Api, Clock, Connection, EndedRequest, Lab, Observer, Operations, Settings, TokenService, router};
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use identity::{
    Issuer, IssuerSettings, KeyRing, KeySource, KeySourceError, KeySourceFuture, NotificationSigner,
    NotificationSignerSettings, Rotation, SigningKey, StoredKey, TokenEndpoint, TokenEndpointSettings,
    TokenSubject, Verifier, VerifierSettings, hash_secret,
};
use model::{
    AccessPolicy, AppId, Application, ApplicationInstance, Directory, Permission, PermissionSet, Tenant,
    TenantId, Timestamp, User, UserId,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fake_calls::FakeCalls;
use crate::fake_store::FakeStore;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const BOT: &str = "2891555a-92ff-42e6-80fa-6e1300c6b5c6";
pub(crate) const OTHER_BOT: &str = "dd3885da-f9ab-486b-bfae-85de3d445555";
pub(crate) const NOT_CALLING: &str = "00000000-0000-4000-8000-00000000000a";
pub(crate) const CONTOSO: &str = "aa67bd4c-8475-432d-bd41-39f255720e0a";
pub(crate) const FABRIKAM: &str = "86dc81db-c112-4228-9222-63f3esaa1edb";
pub(crate) const INSTANCE: &str = "3d913abb-aec0-4964-8fa6-3c6850c4f278";
pub(crate) const BOB: &str = "5810cede-f3cc-42eb-b2c1-e9bd5d53ec96";
pub(crate) const JOHN: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
pub(crate) const ANN: &str = "0a3b1c6e-0000-4000-8000-00000000000b";
pub(crate) const BASE: &str = "https://calls.example";
pub(crate) const CALLS: &str = "/v1.0/communications/calls";

static KEY: LazyLock<StoredKey> = LazyLock::new(|| SigningKey::generate(NOW).unwrap().to_stored().unwrap());
static HASH: LazyLock<String> = LazyLock::new(|| hash_secret("dev-secret").unwrap());

/// The router with everything around it.
pub(crate) struct App {
    pub(crate) calls: Arc<FakeCalls>,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) observer: Arc<Seen>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) signer: Arc<NotificationSigner>,
    router: Router,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
pub(crate) struct FakeClock(pub(crate) Mutex<Duration>);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        NOW.after(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// What was measured, a line each.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Mutex<Vec<String>>);

impl Observer for Seen {
    fn request_began(&self) {
        self.0.lock().unwrap().push("began".to_owned());
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        let EndedRequest { method, route, status, .. } = request;
        self.0.lock().unwrap().push(format!("{method} {route} {status}"));
    }

    fn token_issued(&self) {
        self.0.lock().unwrap().push("issued".to_owned());
    }

    fn token_refused(&self, reason: &'static str) {
        self.0.lock().unwrap().push(format!("refused: {reason}"));
    }
}

struct NoKeys;

impl KeySource for NoKeys {
    fn fetch<'a>(&'a self, _url: &'a str) -> KeySourceFuture<'a> {
        Box::pin(async { Err(KeySourceError("no network".to_owned())) })
    }
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::with_lab(settings, None)
    }

    pub(crate) fn with_lab(settings: Settings, lab: Option<Arc<dyn Lab>>) -> Self {
        let calls = Arc::new(FakeCalls::default());
        let store = Arc::new(FakeStore::default());
        let clock = Arc::new(FakeClock::default());
        let observer = Arc::new(Seen::default());
        let issuer_settings = IssuerSettings { bases: vec![BASE.to_owned()], ..IssuerSettings::default() };
        let issuer = Arc::new(Issuer::new(issuer_settings, keys()));
        let endpoint = TokenEndpoint::new(TokenEndpointSettings::default(), Arc::clone(&issuer));
        let verifier = Verifier::new(
            VerifierSettings::default(),
            Some(Arc::clone(&issuer)),
            Vec::new(),
            Box::new(NoKeys),
        );
        let signer = Arc::new(NotificationSigner::new(NotificationSignerSettings::default(), keys()));
        let router = router(Api {
            calls: Arc::clone(&calls) as _,
            store: Arc::clone(&store) as _,
            directory: Arc::new(ArcSwap::from_pointee(directory().into())),
            verifier: Arc::new(verifier),
            tokens: Some(TokenService { endpoint: Arc::new(endpoint), issuer: Arc::clone(&issuer) }),
            notification_signer: Arc::clone(&signer),
            clock: Arc::clone(&clock) as _,
            operations: Operations {
                is_ready: Arc::new(|| true),
                metrics: Some(Arc::new(|| "up 1\n".to_owned())),
                observer: Arc::clone(&observer) as _,
            },
            lab,
            web: None,
            console: None,
            settings,
        });
        Self { calls, store, clock, observer, issuer, signer, router }
    }

    /// A token of the bot with every permission that it may have.
    pub(crate) fn token(&self) -> String {
        self.token_of(BOT, CONTOSO, &[Permission::INITIATE, Permission::ACCESS_MEDIA])
    }

    pub(crate) fn token_of(&self, app: &str, tenant: &str, roles: &[&str]) -> String {
        let (app, tenant) = (AppId::from(app), TenantId::from(tenant));
        let roles: PermissionSet = roles.iter().map(|role| Permission::from(*role)).collect();
        let audience = "https://graph.microsoft.com";
        let subject = TokenSubject { app: &app, tenant: &tenant, roles: &roles, audience };
        self.issuer.issue(&subject, NOW).unwrap().token
    }

    /// A token with whatever claims a test wants, signed with this server's key.
    pub(crate) fn signed(&self, claims: &Value) -> String {
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(&KEY.pkcs8)
        );
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = Some(KEY.kid.clone());
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    /// Sends a request with the bot's token and a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(&self.token(), path, body).await
    }

    pub(crate) async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let request = request("POST", path, token).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.bare("GET", path).await
    }

    /// Sends a request with the bot's token and no body.
    pub(crate) async fn bare(&self, method: &str, path: &str) -> Answer {
        self.send(request(method, path, &self.token()).body(Body::empty()).unwrap()).await
    }

    /// The router as the server serves it, with its extensions.
    pub(crate) fn service(&self) -> Router {
        self.router.clone()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40000));
        request.extensions_mut().insert(Connection { peer, is_tls: true });
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Creates a call and returns the path that it is found at.
    pub(crate) async fn call(&self) -> String {
        let answer = self.post(CALLS, &peer_to_peer()).await;
        assert_eq!(answer.status, 201);
        format!("{CALLS}/{}", answer.json()["id"].as_str().unwrap())
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// What a Graph error says to people.
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    /// Status and code of a Graph error, whose body must be whole.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["error"];
        assert!(error["message"].is_string(), "{body}");
        assert_eq!(error["innerError"]["request-id"], self.header("request-id"));
        assert_eq!(error["innerError"]["client-request-id"], self.header("client-request-id"));
        assert_eq!(error["innerError"]["date"], "2027-01-15T08:00:00");
        (self.status.as_u16(), error["code"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub(crate) fn request(method: &str, path: &str, token: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"))
}

pub(crate) fn settings() -> Settings {
    Settings { public_base: Some(BASE.to_owned()), ..Settings::default() }
}

/// The first example of the documentation.
pub(crate) fn peer_to_peer() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": "https://bot.contoso.com/callback",
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "user": {
                    "@odata.type": "#microsoft.graph.identity",
                    "displayName": "John",
                    "id": "112f7296-5fa4-42ca-bae8-6a692b15d4b8",
                },
            },
        }],
        "requestedModalities": ["audio"],
        "callOptions": {
            "@odata.type": "#microsoft.graph.outgoingCallOptions",
            "isContentSharingNotificationEnabled": true,
        },
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
    })
}

fn keys() -> KeyRing {
    KeyRing::new(Rotation::default(), vec![SigningKey::from_stored(&KEY).unwrap()])
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    for (id, is_calling_enabled) in [(BOT, true), (OTHER_BOT, true), (NOT_CALLING, false)] {
        let app = Application {
            id: AppId::from(id),
            name: "Calling Bot".to_owned(),
            alias: None,
            secret_hashes: vec![HASH.clone()],
            assertion_keys: Vec::new(),
            webhook: None,
            is_calling_enabled,
            trunk_budget: Default::default(),
        };
        directory.applications.insert(app.id.clone(), app);
    }
    let granted: PermissionSet = [Permission::from(Permission::INITIATE)].into_iter().collect();
    let grants = BTreeMap::from([(AppId::from(BOT), granted)]);
    for (id, name, grants) in [(CONTOSO, "Contoso", grants), (FABRIKAM, "Fabrikam", BTreeMap::new())] {
        let of_john = AccessPolicy::Users([UserId::from(JOHN)].into());
        let policies = [(BOT, AccessPolicy::All), (OTHER_BOT, of_john), (NOT_CALLING, AccessPolicy::All)];
        let access_policies = policies.map(|(app, policy)| (AppId::from(app), policy)).into();
        let tenant = Tenant {
            id: TenantId::from(id),
            name: name.to_owned(),
            grants,
            access_policies,
            dial_in_numbers: [].into(),
        };
        directory.tenants.insert(tenant.id.clone(), tenant);
    }
    for (id, name, tenant) in [(BOB, "Bob", CONTOSO), (JOHN, "John", CONTOSO), (ANN, "Ann", FABRIKAM)] {
        let user = User {
            id: UserId::from(id),
            tenant: TenantId::from(tenant),
            name: name.to_owned(),
            address: format!("{}@contoso.example", name.to_lowercase()),
            ha1: None,
            script: None,
            is_administrator: id == JOHN,
        };
        directory.users.insert(user.id.clone(), user);
    }
    let instance = ApplicationInstance {
        id: INSTANCE.to_owned(),
        app: AppId::from(BOT),
        tenant: TenantId::from(CONTOSO),
        numbers: vec!["+12345678900".parse().unwrap()],
        is_withheld: false,
    };
    directory.instances.insert(instance.id.clone(), instance);
    directory
}
