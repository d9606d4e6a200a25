//! One WebSocket, as the session sees it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::{self, Error, error::ProtocolError};

use crate::encode::Outgoing;
use crate::handle::Lost;
use crate::handshake::{MAX_MESSAGE_OCTETS, Socket};
use crate::violation::{Closing, Violation};

/// A message that came.
pub(crate) enum Message {
    /// Binary.
    Binary(Bytes),
    /// A ping, which answers itself, or a pong, of that size.
    Control(usize),
    /// Text.
    Text(Utf8Bytes),
}

/// The socket broke; whoever reads is told why.
pub(crate) struct Broken;

pub(crate) struct Link {
    socket: Socket,
    is_dirty: bool,
}

impl Link {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, is_dirty: false }
    }

    /// Reads the next message; pings are answered along the way.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Lost>> {
        let Some(message) = ready!(Pin::new(&mut self.socket.0).poll_next(cx)) else {
            return Poll::Ready(Err(Lost::Broken));
        };
        Poll::Ready(match message {
            Ok(tungstenite::Message::Binary(octets)) => Ok(Message::Binary(octets)),
            Ok(tungstenite::Message::Text(text)) => Ok(Message::Text(text)),
            Ok(tungstenite::Message::Ping(octets) | tungstenite::Message::Pong(octets)) => {
                Ok(Message::Control(octets.len()))
            }
            Ok(tungstenite::Message::Close(frame)) => Err(closed(frame)),
            // Never read; only written.
            Ok(tungstenite::Message::Frame(frame)) => Ok(Message::Control(frame.len())),
            Err(error) => Err(lost(&error)),
        })
    }

    /// Whether another message can be written, or when.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Pin::new(&mut self.socket.0).poll_ready(cx).map_err(|_| Broken)
    }

    pub(crate) fn write(&mut self, message: Outgoing) -> Result<(), Broken> {
        self.is_dirty = true;
        let message = match message {
            // As a frame, since a text would be looked through for what is no UTF-8.
            Outgoing::Text(text) => {
                tungstenite::Message::Frame(Frame::message(text, OpCode::Data(Data::Text), true))
            }
            Outgoing::Binary(octets) => tungstenite::Message::Binary(octets),
            Outgoing::Ping => tungstenite::Message::Ping(Bytes::new()),
        };
        Pin::new(&mut self.socket.0).start_send(message).map_err(|_| Broken)
    }

    /// Pushes out what was written; ready once that is done.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.is_dirty {
            let flushed = ready!(Pin::new(&mut self.socket.0).poll_flush(cx));
            self.is_dirty = false;
            return Poll::Ready(flushed.map_err(|_| Broken));
        }
        Poll::Ready(Ok(()))
    }

    /// The socket, to be closed.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }
}

/// The frame that closes a socket.
pub(crate) fn close_frame(closing: &Closing) -> tungstenite::Message {
    let reason = Utf8Bytes::from(closing.reason());
    tungstenite::Message::Close(Some(CloseFrame { code: closing.code().into(), reason }))
}

fn closed(frame: Option<CloseFrame>) -> Lost {
    let (code, reason) = match frame {
        Some(frame) => (Some(frame.code.into()), frame.reason.as_str().to_owned()),
        None => (None, String::new()),
    };
    Lost::Closed { code, reason }
}

fn lost(error: &Error) -> Lost {
    match error {
        Error::Capacity(_) => Lost::Violation(Violation::MessageTooBig(MAX_MESSAGE_OCTETS)),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Lost::Broken,
        Error::Protocol(error) => Lost::Violation(Violation::Frame(error.to_string())),
        Error::Utf8(_) => Lost::Violation(Violation::NotUtf8),
        Error::AlreadyClosed
        | Error::AttackAttempt
        | Error::ConnectionClosed
        | Error::Http(_)
        | Error::HttpFormat(_)
        | Error::Io(_)
        | Error::Tls(_)
        | Error::Url(_)
        | Error::WriteBufferFull(_) => Lost::Broken,
    }
}
