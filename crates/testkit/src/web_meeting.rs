use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Deref;

use http::header::COOKIE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::http_client::{Reply, bare, request};
use crate::server::Server;
use crate::wait::eventually;
use crate::web_page::WebPage;
use crate::web_phone::WebSession;
use crate::web_pictures::WebPictures;
use crate::web_stack::WebStack;

/// The page of a meeting, of somebody who has signed in or of a guest: its socket, and a media stack.
#[derive(Debug)]
pub struct WebMeeting {
    page: WebPage,
    /// What it says and hears, once it has joined.
    pub stack: WebStack,
    tone_hz: u32,
}

impl Deref for WebMeeting {
    type Target = WebPage;

    fn deref(&self) -> &WebPage {
        &self.page
    }
}

/// Who has a page.
#[derive(Clone, Copy, Debug)]
pub enum Visitor<'a> {
    /// Somebody by that name.
    Guest(&'a str),
    /// Whoever has signed in.
    User(&'a WebSession),
}

impl Visitor<'_> {
    fn cookie(&self) -> Option<&str> {
        match self {
            Self::Guest(_) => None,
            Self::User(session) => Some(&session.cookie),
        }
    }
}

impl WebMeeting {
    /// Asks what there is to know of the meeting with this address, for somebody who may have signed in.
    pub async fn ask(server: &Server, url: &str, session: Option<&WebSession>) -> Reply {
        let mut asked = bare(Method::GET, &format!("/hookswitch/v1/web/meeting?url={}", encoded(url)));
        if let Some(session) = session {
            asked.headers_mut().insert(COOKIE, HeaderValue::from_str(&session.cookie).expect("a cookie"));
        }
        request(server.http(), asked).await
    }

    /// Opens the page, whose sound is to be a tone of that pitch. Nobody is in the meeting by that yet.
    ///
    /// # Errors
    ///
    /// The HTTP status where it gets no socket.
    pub async fn try_open(
        server: &Server,
        (url, origin): (&str, Option<&str>),
        visitor: Visitor<'_>,
        tone_hz: u32,
    ) -> Result<Self, u16> {
        let name = unique_name(server.http());
        let path = format!("/hookswitch/v1/web/meeting/socket?url={}&page={name}", encoded(url));
        let page = WebPage::open(server.http(), &path, visitor.cookie(), origin).await?;
        let welcome = page.welcomed().await;
        assert_eq!((&welcome["state"], &welcome["you"]), (&json!("outside"), &Value::Null), "{welcome}");
        Ok(Self { page, stack: WebStack::open(tone_hz).await, tone_hz })
    }

    /// Opens the page and asks to come in.
    ///
    /// # Panics
    ///
    /// Panics where it gets no socket, or no answer.
    pub async fn join(server: &Server, url: &str, visitor: Visitor<'_>, tone_hz: u32) -> Self {
        let page = Self::try_open(server, (url, None), visitor, tone_hz).await.expect("a socket");
        page.come_in(visitor).await;
        page
    }

    /// Asks to come in.
    pub async fn come_in(&self, visitor: Visitor<'_>) {
        self.offer_to_come_in(visitor).await;
        self.answered().await;
    }

    /// The same once it is over, as a page does that asks again.
    pub async fn come_again(&mut self, visitor: Visitor<'_>) {
        for kind in ["ended", "roster", "state"] {
            self.forget(kind);
        }
        self.stack = WebStack::open(self.tone_hz).await;
        self.come_in(visitor).await;
    }

    /// Asks to come in, and waits for no answer.
    pub async fn offer_to_come_in(&self, visitor: Visitor<'_>) {
        let name = match visitor {
            Visitor::Guest(name) => Some(name),
            Visitor::User(_) => None,
        };
        let offer = self.stack.offer(false).await;
        self.forget("answer");
        self.say(&json!({"type": "join", "name": name, "sdp": offer}));
    }

    /// Makes a later offer of the same stack, with a restart of ICE.
    pub async fn restart(&self) {
        let offer = self.stack.offer(true).await;
        self.forget("answer");
        self.say(&json!({"type": "offer", "sdp": offer}));
        self.answered().await;
    }

    /// Offers another stack in the place of the one that it had, as a page does that was loaded anew.
    pub async fn replace_stack(&mut self) {
        self.stack = WebStack::open(self.tone_hz).await;
        let offer = self.stack.offer(false).await;
        self.forget("answer");
        self.say(&json!({"type": "offer", "sdp": offer}));
        self.answered().await;
    }

    /// Offers pictures, with so many lines for those of others; their names come back.
    pub async fn offer_pictures(&self, pictures: &WebPictures, lines: usize) -> Vec<String> {
        let (offer, lines) = pictures.offer(lines).await;
        self.pictured(pictures, &offer).await;
        lines
    }

    /// Offers the same pictures again, with a restart of ICE.
    pub async fn restart_pictures(&self, pictures: &WebPictures) {
        let offer = pictures.restart().await;
        self.pictured(pictures, &offer).await;
    }

    async fn pictured(&self, pictures: &WebPictures, offer: &str) {
        self.forget("pictures");
        self.say(&json!({"type": "pictures", "sdp": offer}));
        let answer = self.expect("an answer to pictures", |message| message["type"] == "pictures").await;
        pictures.answered(answer["sdp"].as_str().expect("a description")).await;
    }

    async fn answered(&self) {
        let answer = self.expect("an answer", |message| message["type"] == "answer").await;
        self.stack.answered(answer["sdp"].as_str().expect("a description")).await;
    }

    /// Waits until it is there, and returns its participant id.
    pub async fn is_now(&self, state: &str) -> String {
        eventually(&format!("the page is {state}"), async || {
            let messages = self.messages();
            let last = messages.into_iter().rfind(|message| message["type"] == "state");
            let is_it = last.as_ref().is_some_and(|last| last["state"] == state);
            (is_it, last)
        })
        .await
        .and_then(|message| Some(message["you"].as_str()?.to_owned()))
        .expect("an id")
    }

    /// Waits until the people whom it is shown are as wanted.
    pub async fn sees(&self, what: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(what, async || {
            let messages = self.messages();
            let last = messages.into_iter().rfind(|message| message["type"] == "roster");
            let people = last.and_then(|last| last["people"].as_array().cloned()).unwrap_or_default();
            (is_it(&people), people)
        })
        .await
    }

    /// Waits until the one with this id is as wanted.
    pub async fn sees_of(&self, id: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let is_there = |person: &Value| person["id"] == id && is_it(person);
        let people = self.sees(what, |people| people.iter().any(is_there)).await;
        people.into_iter().find(is_there).expect("the one who was found")
    }

    /// Waits until it is over, and returns why.
    pub async fn ended(&self) -> String {
        let message = self.expect("it ends", |message| message["type"] == "ended").await;
        message["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Loses its socket without a good-bye, and comes back by another; returns what it is welcomed with.
    pub async fn come_back(&mut self) -> Value {
        self.page.come_back().await
    }
}

/// A name that no other page has.
fn unique_name(server: SocketAddr) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("a-page-for-tests-{}-{}", server.port(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// As `encodeURIComponent` does it.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
