//! Messages out of stream connections.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_message::{Limits, Message, StreamEvent, StreamParser};

use crate::flow::Flow;

/// The open stream connections by the names that their owner gives them, each with its parser and the flows
/// that the endpoint knows it by.
pub struct Streams<C> {
    streams: BTreeMap<C, Stream>,
}

impl<C> core::fmt::Debug for Streams<C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Streams").field("open", &self.streams.len()).finish_non_exhaustive()
    }
}

impl<C> Default for Streams<C> {
    fn default() -> Self {
        Self { streams: BTreeMap::new() }
    }
}

struct Stream {
    parser: StreamParser,
    /// One for what comes in; others where a connection was opened for a flow that had none, or had lost it.
    flows: BTreeSet<Flow>,
}

/// What a chunk of a connection brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// The connection can no longer be understood; nothing follows.
    Close,
    /// A whole message.
    Message(Box<Message>),
    /// An answer that goes back as it is: to a keep-alive, or to a message that is refused.
    Reply(Bytes),
}

impl<C: Copy + Ord> Streams<C> {
    /// Takes a chunk and returns what it completed.
    pub fn push(&mut self, connection: C, flow: Flow, bytes: &[u8]) -> Vec<Chunk> {
        let stream = self.stream(connection);
        stream.flows.insert(flow);
        let parser = &mut stream.parser;
        parser.push(bytes);
        let mut chunks = Vec::new();
        while let Some(event) = parser.poll() {
            match event {
                StreamEvent::Broken(reject) => {
                    chunks.extend(reject.reply.map(|reply| Chunk::Reply(reply.to_bytes())));
                    chunks.push(Chunk::Close);
                }
                StreamEvent::Message(message) => chunks.push(Chunk::Message(Box::new(message))),
                // RFC 5626, 4.4.1: two line breaks are answered with one.
                StreamEvent::Ping => chunks.push(Chunk::Reply(Bytes::from_static(b"\r\n"))),
                StreamEvent::Rejected(reject) => {
                    chunks.extend(reject.reply.map(|reply| Chunk::Reply(reply.to_bytes())));
                }
            }
        }
        chunks
    }

    /// Notes that a connection carries what is sent on a flow.
    pub fn sent(&mut self, connection: C, flow: Flow) {
        self.stream(connection).flows.insert(flow);
    }

    /// Forgets a connection; returns the flows that are over with it.
    pub fn closed(&mut self, connection: C) -> BTreeSet<Flow> {
        self.streams.remove(&connection).map(|stream| stream.flows).unwrap_or_default()
    }

    fn stream(&mut self, connection: C) -> &mut Stream {
        let new = || Stream { parser: StreamParser::new(Limits::default()), flows: BTreeSet::new() };
        self.streams.entry(connection).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn flow(connection: Option<u64>) -> Flow {
        let addr = |port: u16| ([127, 0, 0, 1], port).into();
        Flow { transport: Transport::Tcp, local: addr(5060), remote: addr(6001), connection }
    }

    const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=f\r\nTo: <sip:a@b>\r\nCall-ID: g\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn messages_are_whole_pings_are_answered_and_the_end_names_every_flow() {
        let mut streams = Streams::default();
        streams.sent(1_u8, flow(None));
        let (head, tail) = OPTIONS.split_at(40);
        assert_eq!(streams.push(1, flow(Some(1)), head.as_bytes()), []);
        let chunks = streams.push(1, flow(Some(1)), format!("{tail}\r\n\r\n").as_bytes());
        assert!(
            matches!(&chunks[..], [Chunk::Message(_), Chunk::Reply(pong)] if pong == "\r\n"),
            "{chunks:?}"
        );
        assert_eq!(streams.closed(1), [flow(None), flow(Some(1))].into());
        assert_eq!(streams.closed(1), BTreeSet::new());
    }

    #[test]
    fn a_connection_without_sense_is_closed() {
        let chunks = Streams::default().push(1_u8, flow(Some(1)), &[b'x'; 100_000]);
        assert!(matches!(chunks.last(), Some(Chunk::Close)), "{chunks:?}");
    }
}
