//! What connects crates that do not know each other.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use app_media::Socket;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use identity::{KeySource, KeySourceError, KeySourceFuture, NotificationSigner};
use model::{AppId, Attempt, Notification, TenantId, Timestamp};
use node::{Clock, Owed, PromptSource, SocketDialling, Sockets};
use notifier::{BearerError, BearerSource, Notifier};
use outbound::{FetchLimits, Outbound};
use settings::Settings;
use store::{BoxFuture, DeliveryRecord};
use trace::{Recorder, Tried};
use url::Url;

use crate::sounds;

/// The node's clock as the API wants it.
pub(super) struct ApiClock(pub(super) Clock);

impl api::Clock for ApiClock {
    fn now(&self) -> Timestamp {
        self.0.wall()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Hands a node's notifications to the notifier.
pub(super) struct OwedTo(pub(super) Arc<Notifier>);

impl Owed for OwedTo {
    fn offer(&self, notifications: Vec<Notification>) {
        self.0.offer(notifications);
    }
}

/// Posts notifications once more.
pub(super) struct Resender(pub(super) Arc<Notifier>);

impl api::Resend for Resender {
    fn resend<'a>(&'a self, notification: Notification, uri: String) -> BoxFuture<'a, Option<Attempt>> {
        Box::pin(self.0.resend(notification, uri))
    }
}

/// Notes how deliveries go.
pub(super) fn told(recorder: Recorder) -> notifier::Told {
    Arc::new(move |record: &DeliveryRecord| {
        if let Some(attempt) = &record.attempt
            && let Some(trace) = recorder.find(record.call)
        {
            let tried = Tried { attempt: attempt.clone(), state: Some(record.state) };
            trace.tried(record.sequence, tried);
        }
    })
}

/// Signs what the notifier sends.
pub(super) struct Bearers {
    pub(super) signer: Arc<NotificationSigner>,
    pub(super) clock: Clock,
}

impl BearerSource for Bearers {
    fn bearer<'a>(
        &'a self,
        app: &'a AppId,
        tenant: &'a TenantId,
    ) -> BoxFuture<'a, Result<Arc<str>, BearerError>> {
        let bearer = self.signer.bearer(app, tenant, self.clock.wall());
        Box::pin(async move { bearer.map_err(|error| BearerError(Box::new(error))) })
    }
}

/// Fetches the keys of outside issuers.
pub(super) struct Keys(pub(super) Outbound);

/// A key list is a few kilobytes; verifying waits for it.
const KEYS: FetchLimits =
    FetchLimits { max_bytes: 256 * 1024, timeout: Duration::from_secs(5), max_redirects: 2 };

impl KeySource for Keys {
    fn fetch<'a>(&'a self, url: &'a str) -> KeySourceFuture<'a> {
        Box::pin(async move {
            let fetched = self.0.fetch(url, KEYS).await.map_err(|error| KeySourceError(error.to_string()))?;
            String::from_utf8(fetched.to_vec()).map_err(|error| KeySourceError(error.to_string()))
        })
    }
}

/// What a test call of the console plays. No request can name it, as it is no web address.
pub(super) const GREETING_URI: &str = "hookswitch:greeting";

/// Fetches prompts.
pub(super) struct Prompts {
    outbound: Outbound,
    limits: FetchLimits,
}

impl Prompts {
    pub(super) fn new(outbound: Outbound, settings: &Settings) -> Self {
        let limits = FetchLimits {
            max_bytes: usize::try_from(settings.media.max_prompt_size.0).unwrap_or(usize::MAX),
            timeout: settings.outbound.fetch_timeout,
            max_redirects: settings.outbound.max_redirects as usize,
        };
        Self { outbound, limits }
    }
}

impl PromptSource for Prompts {
    fn fetch<'a>(&'a self, app: Option<&'a AppId>, uri: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
        if uri == GREETING_URI {
            let greeting = sounds::find("greeting.wav").ok_or_else(|| "there is no greeting".to_owned());
            return Box::pin(async move { greeting });
        }
        let outbound = self.outbound.on_behalf_of(app.map_or("", AppId::as_str));
        Box::pin(async move { outbound.fetch(uri, self.limits).await.map_err(|error| error.to_string()) })
    }
}

/// Opens WebSockets to where applications listen.
pub(super) struct Dialler {
    pub(super) outbound: Outbound,
    pub(super) signer: Arc<NotificationSigner>,
    pub(super) clock: Clock,
}

/// How long opening one may take, name, TLS and handshake together: half of the time that an application has to come back by
/// default, so that there is another try.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Whose call it is, for an application with many.
const CALL_ID: HeaderName = HeaderName::from_static("x-hookswitch-call-id");

impl Dialler {
    /// The application verifies who dials as it verifies who sends it notifications.
    fn headers(&self, to: &SocketDialling<'_>) -> Result<HeaderMap, Box<dyn Error + Send + Sync>> {
        let bearer = self.signer.bearer(to.app, to.tenant, self.clock.wall())?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {bearer}"))?;
        authorization.set_sensitive(true);
        let call = HeaderValue::try_from(to.call.to_string())?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization), (CALL_ID, call)]))
    }

    async fn open(&self, to: &SocketDialling<'_>) -> Result<Socket, Box<dyn Error + Send + Sync>> {
        let headers = self.headers(to)?;
        let outbound = self.outbound.on_behalf_of(to.app.as_str());
        let (stream, url) = outbound.open(to.url.as_str(), DIAL_LIMIT).await?;
        Ok(Socket::dialled(stream, &url, headers).await?)
    }
}

impl Sockets for Dialler {
    fn check(&self, url: &Url) -> Result<(), String> {
        self.outbound.policy().check_socket(url.as_str()).map(drop).map_err(|why| why.to_string())
    }

    fn dial<'a>(&'a self, to: SocketDialling<'a>) -> BoxFuture<'a, Result<Socket, String>> {
        Box::pin(async move {
            let opened = tokio::time::timeout(DIAL_LIMIT, self.open(&to)).await;
            let opened = opened.map_err(|_elapsed| "it took too long".to_owned())?;
            opened.map_err(|error| explained(&*error))
        })
    }

    fn may_send_to(&self, ip: IpAddr) -> bool {
        self.outbound.policy().may_send_to(ip)
    }
}

/// An error with what is behind it, on one line.
fn explained(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use identity::{KeyRing, NotificationSignerSettings, Rotation, SigningKey};
    use model::CallId;
    use outbound::Policy;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn dialler(allowed: &[&str]) -> Dialler {
        let clock = Clock::start();
        let policy = Policy::new(allowed.iter().copied(), []).unwrap();
        let outbound = Outbound::new(outbound::Config { policy, ..outbound::Config::default() }).unwrap();
        let keys = KeyRing::new(Rotation::default(), vec![SigningKey::generate(clock.wall()).unwrap()]);
        let signer = Arc::new(NotificationSigner::new(NotificationSignerSettings::default(), keys));
        Dialler { outbound, signer, clock }
    }

    /// Dials one who answers the request with that, and returns the request, too.
    async fn dial(answer: &'static str) -> (String, Result<Socket, String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/media?a=b", listener.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            (String::from_utf8(request).unwrap(), stream)
        });
        let (app, tenant, url) = (AppId::from("bot"), TenantId::from("tenant"), Url::parse(&url).unwrap());
        let call = CallId::parse("57dab8b1-894c-409a-b240-bd8beae78896").unwrap();
        let to = SocketDialling { app: &app, tenant: &tenant, call, url: &url };
        let dialled = dialler(&["127.0.0.1"]).dial(to).await;
        let (request, _stream): (String, TcpStream) = answering.await.unwrap();
        (request, dialled)
    }

    #[tokio::test]
    async fn an_application_is_told_who_dials_and_for_which_call() {
        let (request, refused) = dial("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(refused.unwrap_err(), "failed to open a WebSocket: HTTP error: 401 Unauthorized");
        let request = request.to_lowercase();
        assert!(request.starts_with("get /media?a=b http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nauthorization: bearer ey"), "{request}");
        assert!(
            request.contains("\r\nx-hookswitch-call-id: 57dab8b1-894c-409a-b240-bd8beae78896\r\n"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn the_policy_of_requests_says_where_applications_may_listen() {
        let dialler = dialler(&["localhost"]);
        let check = |url: &str| dialler.check(&Url::parse(url).unwrap());
        assert_eq!(check("wss://bot.example/media"), Ok(()));
        assert_eq!(check("ws://localhost:9000/media"), Ok(()));
        assert_eq!(check("ws://bot.example/media"), Err("the URL is not wss".to_owned()));
        assert_eq!(check("wss://10.0.0.1/"), Err("the host is a private or special address".to_owned()));
        assert!(dialler.may_send_to([127, 0, 0, 1].into()) && !dialler.may_send_to([10, 0, 0, 1].into()));
    }
}
