//! Framing of messages on a byte stream (RFC 3261, 18.3; RFC 5626, 3.5.1).

use bytes::{Buf, BytesMut};

use crate::parse::{Draft, find_head_end, too_large};
use crate::reject::{Problem, Reject};
use crate::{Limits, Message};

/// What a stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The framing is lost: send the reply, if there is one, and close the connection. Nothing follows.
    Broken(Reject),
    /// A whole message.
    Message(Message),
    /// A keep-alive of two line breaks, to be answered with one line break (RFC 5626, 4.4.1).
    Ping,
    /// A message that is refused; the stream goes on after it.
    Rejected(Reject),
}

/// Cuts a byte stream into messages. Feed it with [`push`](Self::push), then drain [`poll`](Self::poll) until
/// `None`; between drains it holds at most one message and what was pushed last.
pub struct StreamParser {
    limits: Limits,
    buffer: BytesMut,
    /// Octets of the buffer that are known to hold no end of a head.
    scanned: usize,
    head: Option<Head>,
    line_break_before: bool,
    is_broken: bool,
}

/// A head that was read and waits for its body.
struct Head {
    draft: Draft,
    body_octets: usize,
}

impl StreamParser {
    /// A parser at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            scanned: 0,
            head: None,
            line_break_before: false,
            is_broken: false,
        }
    }

    /// Takes what was received. After [`StreamEvent::Broken`] it is dropped.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.is_broken {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The next event, or `None` until more is pushed.
    pub fn poll(&mut self) -> Option<StreamEvent> {
        if self.is_broken {
            return None;
        }
        if self.head.is_none() {
            if self.skip_line_breaks() {
                return Some(StreamEvent::Ping);
            }
            if let Err(reject) = self.read_head()? {
                self.is_broken = true;
                self.buffer = BytesMut::new();
                return Some(StreamEvent::Broken(reject));
            }
        }
        let head = self.head.take_if(|head| self.buffer.len() >= head.body_octets)?;
        let body = self.buffer.split_to(head.body_octets).freeze();
        Some(match head.draft.finish(body) {
            Ok(message) => StreamEvent::Message(message),
            Err(reject) => StreamEvent::Rejected(reject),
        })
    }

    /// Whether nothing of a further message has arrived; if not, a close of the connection cuts a message short.
    pub fn is_between_messages(&self) -> bool {
        self.head.is_none() && self.buffer.is_empty()
    }

    /// Skips line breaks before a start line; says when they were a ping.
    fn skip_line_breaks(&mut self) -> bool {
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.line_break_before = !self.line_break_before;
            if !self.line_break_before {
                return true;
            }
        }
        false
    }

    /// Reads the head if it is complete. An error says that the end of the message cannot be known.
    fn read_head(&mut self) -> Option<Result<(), Reject>> {
        let Some(end) = find_head_end(&self.buffer, self.scanned) else {
            self.scanned = self.buffer.len().saturating_sub(3);
            if self.buffer.len() <= self.limits.message_octets {
                return None;
            }
            let draft = Draft::read(&self.buffer, &self.limits);
            return Some(Err(draft.refuse(too_large())));
        };
        self.scanned = 0;
        self.line_break_before = false;
        let draft = Draft::read(&self.buffer.split_to(end), &self.limits);
        let body_octets = match draft.headers.content_length() {
            Ok(Some(length)) => length,
            Ok(None) => return Some(Err(draft.refuse(Problem::bad("Missing Content-Length")))),
            Err(error) => return Some(Err(draft.refuse(error.into()))),
        };
        if end.saturating_add(body_octets) > self.limits.message_octets {
            return Some(Err(draft.refuse(too_large())));
        }
        self.head = Some(Head { draft, body_octets });
        Some(Ok(()))
    }
}
