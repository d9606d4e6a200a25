//! The socket of a page, whatever is said over it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use graph_wire::GraphError;
use http::{Method, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use node::{Budget, Farewell, PageRefused, PageSocket, Rate};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::sessions::{Counted, Session};
use crate::error::ApiError;

/// Octets of a frame from a page.
pub(super) const MAX_FRAME_OCTETS: usize = 64 * 1024;
const _: () = assert!(MAX_FRAME_OCTETS == phone_wire::MAX_FRAME_OCTETS);
const _: () = assert!(MAX_FRAME_OCTETS == meeting_wire::MAX_FRAME_OCTETS);

/// How often a page is pinged, and how long it may be silent; browsers answer by themselves.
const PING_PAUSE: Duration = Duration::from_secs(15);
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// How long a page may take to read a message.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long what still comes is read after a socket was closed from here.
const FAREWELL: Duration = Duration::from_millis(500);

/// Messages at once, and in a second after that. People press keys; a page sends a few for each.
const MESSAGES: Rate = Rate { burst: 60.0, per_second: 20.0 };

/// Characters of the name that a page gives itself.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 16..=64;

/// How long to wait where there are as many pages as may be.
const WAIT: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What is said over a kind of socket.
pub(super) trait Language: 'static {
    /// What pages say.
    type From: Send + 'static;
    /// What they are told.
    type To: Send + 'static;

    /// Reads what a page says.
    fn read(text: &str) -> Result<Self::From, Unread>;
    /// Writes what it is told.
    fn write(message: &Self::To) -> String;
    /// What it is told of what makes no sense.
    fn error(message: String) -> Self::To;
}

/// Why a page is not understood.
pub(super) enum Unread {
    /// It does not speak JSON objects; the socket is closed.
    NoObject,
    /// Something is wrong with what it says.
    Other(String),
}

/// How long a socket may be open, besides what its page says.
pub(super) struct Leave {
    ended: CancellationToken,
    until: Option<Instant>,
}

impl Leave {
    /// As long as somebody is signed in; `now` is on the clock that never jumps.
    pub(super) fn of(session: &Session, now: Duration) -> Self {
        let left = session.until.saturating_sub(now);
        Self { ended: session.ended.clone(), until: Some(Instant::now() + left) }
    }

    /// For somebody who is not signed in.
    pub(super) fn of_guest() -> Self {
        Self { ended: CancellationToken::new(), until: None }
    }
}

/// A request for a WebSocket that can be granted.
pub(super) struct Asked {
    upgrade: OnUpgrade,
    accepted: http::Response<()>,
}

impl Asked {
    /// # Errors
    ///
    /// 400 where it is none.
    pub(super) fn of(request: &mut Request) -> Result<Self, ApiError> {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let is_plain = request.version() == Version::HTTP_11 && request.method() == Method::GET;
        let (Some(upgrade), true) = (upgrade, is_plain) else {
            let message = "A WebSocket is opened with HTTP/1.1 and the headers of RFC 6455.";
            return Err(GraphError::invalid_argument(message).into());
        };
        let accepted = app_media::accept(request.headers());
        let accepted =
            accepted.map_err(|error| GraphError::invalid_argument(format!("The request is {error}.")))?;
        Ok(Self { upgrade, accepted })
    }

    /// Grants it: carries what the page and its task say to each other.
    pub(super) fn grant<L: Language>(
        self,
        page: PageSocket<L::From, L::To>,
        leave: Leave,
        counted: Counted,
    ) -> Response {
        tokio::spawn(serve::<L>(self.upgrade, page, leave, counted));
        self.accepted.map(|()| Body::empty())
    }
}

/// Why a page gets no socket.
pub(super) fn refused(why: PageRefused) -> ApiError {
    match why {
        PageRefused::Draining => GraphError::unavailable(WAIT).into(),
        PageRefused::Full => GraphError::too_many_requests(WAIT).into(),
    }
}

/// The name that a page gives itself in a member of the query, or one that is nobody else's.
pub(super) fn name_of(query: &str, member: &str) -> Result<String, ApiError> {
    let Some(given) = member_of(query, member) else {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| GraphError::internal())?;
        return Ok(URL_SAFE_NO_PAD.encode(name));
    };
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if NAME_CHARS.contains(&given.len()) && given.bytes().all(is_fit) {
        return Ok(given.to_owned());
    }
    let message = format!("'{member}' must be 16 to 64 letters, digits, '-' and '_'.");
    Err(GraphError::invalid_argument(message).into())
}

/// A member of the query, as it is written.
pub(super) fn member_of<'a>(query: &'a str, member: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(member)?.strip_prefix('='))
}

/// Waits for the response to be written, and carries messages until either side has had enough.
async fn serve<L: Language>(
    upgrade: OnUpgrade,
    page: PageSocket<L::From, L::To>,
    leave: Leave,
    counted: Counted,
) {
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
    if let Some((code, reason)) = carry::<L>(&mut socket, page, leave).await {
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

async fn carry<L: Language>(
    socket: &mut Socket,
    mut page: PageSocket<L::From, L::To>,
    Leave { ended, until }: Leave,
) -> Option<Close> {
    let over = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut pings = interval(PING_PAUSE);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut budget) = (Instant::now(), Budget::new(MESSAGES, Instant::now()));
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
                match L::read(&text) {
                    Ok(message) => if !page.say(message).await {
                        return Some(farewell(page.farewell()));
                    },
                    Err(Unread::NoObject) => {
                        return Some((CloseCode::Policy, "messages are JSON objects"));
                    }
                    Err(Unread::Other(why)) => {
                        send(socket, Message::text(L::write(&L::error(why)))).await?;
                    }
                }
            }
            message = page.next() => match message {
                Some(message) => send(socket, Message::text(L::write(&message))).await?,
                None => return Some(farewell(page.farewell())),
            },
            _ = pings.tick() => {
                if heard.elapsed() > MAX_SILENCE {
                    return Some((CloseCode::Policy, "nothing is heard of the page"));
                }
                send(socket, Message::Ping(Vec::new().into())).await?;
            }
            () = ended.cancelled() => {
                page.leave().await;
                return Some((CloseCode::Policy, "signed out"));
            }
            () = &mut over => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_itself_or_is_named() {
        let phone_of = |query| name_of(query, "phone").ok();
        assert_eq!(phone_of("a=b&phone=0123456789abcdef"), Some("0123456789abcdef".to_owned()));
        let (one, other) = (phone_of(""), phone_of("page=0123456789abcdef"));
        assert!(one.is_some() && one != other);
        for bad in ["phone=", "phone=short", "phone=0123456789abcde%20", &format!("phone={}", "a".repeat(65))]
        {
            assert!(phone_of(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut budget = Budget::new(MESSAGES, start);
        assert_eq!((0..100).filter(|_| budget.spend(start)).count(), 60);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| budget.spend(later)).count(), 20);
    }
}
