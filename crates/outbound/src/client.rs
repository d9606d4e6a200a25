use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::connect::{ByteStream, Connector, Purpose};
use crate::pool::Pool;
use crate::tls::Tls;
use crate::{Forbidden, Origin, OutboundError, Policy, Resolve, Route, SetupError, SystemResolver, Target};

/// What is read of the answer to a POST, so that its connection can be used again; more ends the connection.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long that reading may take. The status is known by then; it only saves a connection.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// Finds the bytes behind a path.
pub type Bundled = Arc<dyn Fn(&str) -> Option<Bytes> + Send + Sync>;

/// What [`Outbound`] is made of.
pub struct Config {
    /// Where requests may go.
    pub policy: Policy,
    /// Turns names into addresses.
    pub resolver: Arc<dyn Resolve>,
    /// Certificates in PEM that are trusted beside those of the system.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// The bytes behind origins that are mapped to `bundled`, by path without its first slash.
    pub bundled: Bundled,
    /// How long a connection may take, name and TLS included.
    pub connect_timeout: Duration,
    /// Requests under way at once.
    pub max_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            resolver: Arc::new(SystemResolver::default()),
            extra_ca_pem: None,
            bundled: Arc::new(|_| None),
            connect_timeout: Duration::from_secs(4),
            // Arbitrary; twice what the notifier has under way, so that fetches find room beside it.
            max_requests: 2048,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Limits of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Bytes of the body.
    pub max_bytes: usize,
    /// Everything together, redirects included.
    pub timeout: Duration,
    /// Redirects that are followed.
    pub max_redirects: usize,
}

/// The answer to a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, whichever it is.
    pub status: u16,
    /// The absolute URL of the `Location` header of a 3xx, which the policy lets pass; `Err` where it does not.
    pub location: Option<Result<String, Forbidden>>,
}

/// Sends requests where the policy lets them go; cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
    requester: Arc<str>,
}

struct Shared {
    policy: Policy,
    bundled: Bundled,
    connector: Connector,
    pool: Arc<Pool>,
    slots: Semaphore,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl Outbound {
    /// Makes a client; opens no connection.
    ///
    /// # Errors
    ///
    /// Fails where the extra certificates cannot be used.
    pub fn new(config: Config) -> Result<Self, SetupError> {
        let tls = Tls::new(config.extra_ca_pem.as_deref())?;
        let connector = Connector { resolver: config.resolver, tls, limit: config.connect_timeout };
        let shared = Shared {
            policy: config.policy,
            bundled: config.bundled,
            connector,
            pool: Arc::default(),
            slots: Semaphore::new(config.max_requests),
        };
        Ok(Self { shared: Arc::new(shared), requester: Arc::from("") })
    }

    /// The same client for requests on behalf of somebody, the program itself where nobody is named.
    ///
    /// What is scarce is shared fairly between requesters: one whose names are slow to look up waits for itself.
    #[must_use]
    pub fn on_behalf_of(&self, requester: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), requester: Arc::from(requester) }
    }

    /// The policy that every request is held to.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// Posts JSON and returns the answer's status, whichever it is. Follows no redirect.
    ///
    /// The answer's body is not looked at; one that is large or slow ends only its own connection.
    ///
    /// # Errors
    ///
    /// See [`OutboundError`]; [`OutboundError::Status`], `Redirects` and `TooLarge` do not occur.
    pub async fn post_json(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, OutboundError> {
        let target = self.shared.policy.check(url)?;
        let Route::Network { origin, may_be_private } = &target.route else {
            return Err(Forbidden::Bundled.into());
        };
        let mut request = request(Method::POST, &target, origin, headers)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Full::new(body);
        let _slot = self.shared.slots.try_acquire().map_err(|_| OutboundError::Busy)?;
        let deadline = Instant::now() + limit;
        let purpose = self.purpose(origin, *may_be_private, deadline);
        let exchange = self.shared.exchange(purpose, request);
        let (response, sender) =
            timeout_at(deadline, exchange).await.map_err(|_| OutboundError::Timeout)??;
        let answer = self.shared.answer(&target, &response);
        let reading = read(response.into_body(), MAX_ANSWER_BYTES);
        if matches!(timeout(ANSWER_LIMIT, reading).await, Ok(Ok(_))) {
            self.shared.pool.put(origin.clone(), sender);
        }
        Ok(answer)
    }

    /// Opens a connection for a WebSocket (`wss`, `ws`) and says nothing on it; returns the address as it was asked for,
    /// which the handshake names.
    ///
    /// It counts as a request only until it is open: what is long-lived must not use up the requests of others, and its
    /// owner bounds it.
    ///
    /// # Errors
    ///
    /// See [`OutboundError`]; what the policy refuses is that of [`Policy::check_socket`].
    pub async fn open(
        &self,
        url: &str,
        limit: Duration,
    ) -> Result<(Box<dyn ByteStream>, Url), OutboundError> {
        let target = self.shared.policy.check_socket(url)?;
        let Route::Network { origin, may_be_private } = &target.route else {
            return Err(Forbidden::Bundled.into());
        };
        let _slot = self.shared.slots.try_acquire().map_err(|_| OutboundError::Busy)?;
        let deadline = Instant::now() + limit;
        let opening = self.shared.connector.connect_bare(self.purpose(origin, *may_be_private, deadline));
        let stream = timeout_at(deadline, opening).await.map_err(|_| OutboundError::Timeout)??;
        Ok((stream, target.asked))
    }

    /// Fetches a body by GET and follows redirects, each held to the policy.
    ///
    /// # Errors
    ///
    /// See [`OutboundError`]; any status but 2xx and redirects is [`OutboundError::Status`].
    pub async fn fetch(&self, url: &str, limits: FetchLimits) -> Result<Bytes, OutboundError> {
        let deadline = Instant::now() + limits.timeout;
        timeout_at(deadline, self.fetch_until(deadline, url, limits))
            .await
            .unwrap_or(Err(OutboundError::Timeout))
    }

    async fn fetch_until(
        &self,
        deadline: Instant,
        url: &str,
        limits: FetchLimits,
    ) -> Result<Bytes, OutboundError> {
        let _slot = self.shared.slots.try_acquire().map_err(|_| OutboundError::Busy)?;
        let mut target = self.shared.policy.check(url)?;
        for _ in 0..=limits.max_redirects {
            let (origin, may_be_private) = match &target.route {
                Route::Bundled(path) => return self.shared.bundled(path, limits.max_bytes),
                Route::Network { origin, may_be_private } => (origin, *may_be_private),
            };
            let request = request(Method::GET, &target, origin, HeaderMap::new())?;
            let purpose = self.purpose(origin, may_be_private, deadline);
            let (response, sender) = self.shared.exchange(purpose, request).await?;
            match response.status().as_u16() {
                200..=299 => {
                    let body = read(response.into_body(), limits.max_bytes).await?;
                    self.shared.pool.put(origin.clone(), sender);
                    return Ok(body);
                }
                301 | 302 | 303 | 307 | 308 => {
                    let location = location(&response).ok_or(OutboundError::Redirects)?;
                    target = self.shared.policy.check_redirect(&target, location)?;
                }
                status => return Err(OutboundError::Status(status)),
            }
        }
        Err(OutboundError::Redirects)
    }

    fn purpose<'a>(&'a self, origin: &'a Origin, may_be_private: bool, deadline: Instant) -> Purpose<'a> {
        Purpose { origin, may_be_private, requester: &self.requester, deadline }
    }
}

impl Shared {
    /// Sends a request on a kept connection, else on a new one.
    async fn exchange(
        &self,
        purpose: Purpose<'_>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), OutboundError> {
        let mut request = request;
        while let Some(mut sender) = self.pool.take(purpose.origin) {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => match error.take_message() {
                    // The peer closed it just then; nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(OutboundError::Broken(error.into_error().into())),
                },
            }
        }
        let mut sender = self.connector.connect(purpose).await?;
        let response = sender.send_request(request).await;
        response.map(|response| (response, sender)).map_err(|error| OutboundError::Broken(error.into()))
    }

    fn answer(&self, target: &Target, response: &Response<Incoming>) -> Answer {
        let location = if response.status().is_redirection() { location(response) } else { None };
        let checked = location.map(|location| self.policy.check_redirect(target, location));
        Answer {
            status: response.status().as_u16(),
            location: checked.map(|target| target.map(|target| target.asked.into())),
        }
    }

    fn bundled(&self, path: &str, max_bytes: usize) -> Result<Bytes, OutboundError> {
        let bytes = (self.bundled)(path).ok_or(OutboundError::Status(404))?;
        if bytes.len() > max_bytes { Err(OutboundError::TooLarge) } else { Ok(bytes) }
    }
}

fn location(response: &Response<Incoming>) -> Option<&str> {
    response.headers().get(LOCATION)?.to_str().ok()
}

fn request(
    method: Method,
    target: &Target,
    origin: &Origin,
    headers: HeaderMap,
) -> Result<Request<Full<Bytes>>, Forbidden> {
    let path = &target.asked[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::new(Full::default());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| Forbidden::Malformed)?;
    *request.headers_mut() = headers;
    let host = HeaderValue::try_from(origin.authority()).map_err(|_| Forbidden::Malformed)?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().remove(CONTENT_LENGTH);
    Ok(request)
}

async fn read(mut body: Incoming, max_bytes: usize) -> Result<Bytes, OutboundError> {
    let fits = |length: u64| usize::try_from(length).is_ok_and(|length| length <= max_bytes);
    if !fits(body.size_hint().lower()) {
        return Err(OutboundError::TooLarge);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| OutboundError::Broken(error.into()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if read.len().saturating_add(chunk.len()) > max_bytes {
            return Err(OutboundError::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}
