use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use graph_wire::GraphError;
use http::{Method, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use node::{Farewell, PageRefused, PageSocket, Pages};
use phone_wire::{FromPage, MAX_FRAME_OCTETS, NotUnderstood, ToPage};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::SameOrigin;
use super::session::signed_in;
use super::sessions::{Counted, Session};
use crate::error::ApiError;
use crate::state::AppState;

/// How often a page is pinged, and how long it may be silent; browsers answer by themselves.
const PING_PAUSE: Duration = Duration::from_secs(15);
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// How long a page may take to read a message.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long what still comes is read after a socket was closed from here.
const FAREWELL: Duration = Duration::from_millis(500);

/// Messages at once, and in a second after that. People press keys; a page sends a few for each.
const BURST: f64 = 60.0;
const RATE: f64 = 20.0;

/// Characters of the name that a page gives itself.
const PHONE_CHARS: std::ops::RangeInclusive<usize> = 16..=64;

/// How long to wait where a user has as many pages as may be.
const WAIT: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /hookswitch/v1/web/phone?phone=…`: the socket of a page.
pub(crate) async fn phone(
    State(state): State<AppState>,
    _: SameOrigin,
    mut request: Request,
) -> Result<Response, ApiError> {
    let (web, session) = signed_in(&state, request.headers())?;
    let phone = phone_of(request.uri().query().unwrap_or_default())?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let is_plain = request.version() == Version::HTTP_11 && request.method() == Method::GET;
    let (Some(upgrade), true) = (upgrade, is_plain) else {
        let message = "A WebSocket is opened with HTTP/1.1 and the headers of RFC 6455.";
        return Err(GraphError::invalid_argument(message).into());
    };
    let accepted = app_media::accept(request.headers());
    let accepted =
        accepted.map_err(|error| GraphError::invalid_argument(format!("The request is {error}.")))?;
    // Asked for before the answer, so that whoever has too many pages is told in a way that scripts can read.
    let page = attach(&web.pages, &session, &phone).await?;
    let (left, counted) =
        (session.until.saturating_sub(state.api.clock.elapsed()), web.sessions.count_socket());
    tokio::spawn(serve(upgrade, page, (session, Instant::now() + left), counted));
    Ok(accepted.map(|()| Body::empty()))
}

async fn attach(pages: &Pages, session: &Session, phone: &str) -> Result<PageSocket, ApiError> {
    pages.attach(&session.user, phone).await.map_err(|refused| match refused {
        PageRefused::Draining => GraphError::unavailable(WAIT).into(),
        PageRefused::Full => GraphError::too_many_requests(WAIT).into(),
    })
}

/// The name that a page gives itself, or one that is nobody else's.
fn phone_of(query: &str) -> Result<String, ApiError> {
    let given = query.split('&').find_map(|pair| pair.strip_prefix("phone="));
    let Some(given) = given else {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| GraphError::internal())?;
        return Ok(URL_SAFE_NO_PAD.encode(name));
    };
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if PHONE_CHARS.contains(&given.len()) && given.bytes().all(is_fit) {
        return Ok(given.to_owned());
    }
    let message = "'phone' must be 16 to 64 letters, digits, '-' and '_'.";
    Err(GraphError::invalid_argument(message).into())
}

/// Waits for the response to be written, and carries messages until either side has had enough.
async fn serve(upgrade: OnUpgrade, page: PageSocket, session: (Session, Instant), counted: Counted) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => {
            tracing::debug!(%error, "a page went away while it connected");
            return;
        }
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_OCTETS))
        .max_frame_size(Some(MAX_FRAME_OCTETS));
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    if let Some((code, reason)) = carry(&mut socket, page, session).await {
        let frame = CloseFrame { code, reason: reason.into() };
        // A page that does not read has lost its socket all the same.
        let _ = timeout(WRITE_LIMIT, socket.close(Some(frame))).await;
        let _ = timeout(FAREWELL, read_on(socket.get_mut())).await;
    }
    drop(counted);
}

/// Reads what the page had sent before it knew: unread, it would make the system take back what was said last.
async fn read_on(stream: &mut TokioIo<Upgraded>) {
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

/// What a socket is closed with.
type Close = (CloseCode, &'static str);

async fn carry(
    socket: &mut Socket,
    mut page: PageSocket,
    (session, until): (Session, Instant),
) -> Option<Close> {
    let mut pings = interval(PING_PAUSE);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut budget) = (Instant::now(), Budget::new(Instant::now()));
    loop {
        tokio::select! {
            message = socket.next() => {
                let now = Instant::now();
                heard = now;
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                        // Pings count, or they would be a way to keep the server busy.
                        if !budget.spend(now) {
                            return Some((CloseCode::Policy, "too many messages"));
                        }
                        continue;
                    }
                    Some(Ok(Message::Binary(_))) => return Some((CloseCode::Policy, "messages are text")),
                    Some(Err(Error::Capacity(_))) => {
                        return Some((CloseCode::Policy, "the message is longer than 64 KiB"));
                    }
                    Some(Ok(Message::Close(_))) => {
                        page.close();
                        return None;
                    }
                    Some(Err(_)) | None => return None,
                };
                if !budget.spend(now) {
                    return Some((CloseCode::Policy, "too many messages"));
                }
                match FromPage::parse(&text) {
                    Ok(message) => if !page.say(message).await {
                        return Some(farewell(page.farewell()));
                    },
                    Err(NotUnderstood::NoObject) => {
                        return Some((CloseCode::Policy, "messages are JSON objects"));
                    }
                    Err(why) => {
                        let error = ToPage::Error { message: why.to_string() };
                        send(socket, Message::text(error.to_json())).await?;
                    }
                }
            }
            message = page.next() => match message {
                Some(message) => send(socket, Message::text(message.to_json())).await?,
                None => return Some(farewell(page.farewell())),
            },
            _ = pings.tick() => {
                if heard.elapsed() > MAX_SILENCE {
                    return Some((CloseCode::Policy, "nothing is heard of the page"));
                }
                send(socket, Message::Ping(Vec::new().into())).await?;
            }
            () = session.ended.cancelled() => {
                page.leave().await;
                return Some((CloseCode::Policy, "signed out"));
            }
            () = tokio::time::sleep_until(until) => {
                page.leave().await;
                return Some((CloseCode::Policy, "the session is over"));
            }
        }
    }
}

/// Sends; nothing where that does not work within its time.
async fn send(socket: &mut Socket, message: Message) -> Option<()> {
    timeout(WRITE_LIMIT, socket.send(message)).await.ok()?.ok()
}

const fn farewell(why: Farewell) -> Close {
    match why {
        Farewell::Leaving => (CloseCode::Away, "the server is leaving"),
        Farewell::Replaced => (CloseCode::Away, "the page has another socket"),
        Farewell::TooSlow => (CloseCode::Policy, "the page does not read"),
    }
}

/// Messages that a page may still send.
struct Budget {
    left: f64,
    at: Instant,
}

impl Budget {
    const fn new(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    fn spend(&mut self, now: Instant) -> bool {
        self.left = (self.left + RATE * now.duration_since(self.at).as_secs_f64()).min(BURST);
        self.at = now;
        let has_some = self.left >= 1.0;
        self.left -= f64::from(u8::from(has_some));
        has_some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_itself_or_is_named() {
        assert_eq!(phone_of("a=b&phone=0123456789abcdef").ok(), Some("0123456789abcdef".to_owned()));
        let (one, other) = (phone_of("").ok(), phone_of("").ok());
        assert!(one.is_some() && one != other);
        for bad in ["phone=", "phone=short", "phone=0123456789abcde%20", &format!("phone={}", "a".repeat(65))]
        {
            assert!(phone_of(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert_eq!((0..100).filter(|_| budget.spend(start)).count(), 60);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| budget.spend(later)).count(), 20);
    }
}
