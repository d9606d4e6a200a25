use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_message::{Limits, Message, StreamEvent, StreamParser};
use sip_proto::Flow;
use transport::ConnectionId;

/// The open connections, each with its parser and the flows that the endpoint knows it by.
#[derive(Default)]
pub(super) struct Streams {
    streams: BTreeMap<ConnectionId, Stream>,
}

struct Stream {
    parser: StreamParser,
    /// One for what comes in; others where a connection was opened for a flow that had none, or had lost it.
    flows: BTreeSet<Flow>,
}

/// What a chunk of a connection brought.
pub(super) enum Chunk {
    /// The connection can no longer be understood; nothing follows.
    Close,
    /// A whole message.
    Message(Box<Message>),
    /// An answer that goes back as it is: to a keep-alive, or to a message that is refused.
    Reply(Bytes),
}

impl Streams {
    /// Takes a chunk and returns what it completed.
    pub(super) fn push(&mut self, connection: ConnectionId, flow: Flow, bytes: &[u8]) -> Vec<Chunk> {
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
    pub(super) fn sent(&mut self, connection: ConnectionId, flow: Flow) {
        self.stream(connection).flows.insert(flow);
    }

    /// Forgets a connection; returns the flows that are over with it.
    pub(super) fn closed(&mut self, connection: ConnectionId) -> BTreeSet<Flow> {
        self.streams.remove(&connection).map(|stream| stream.flows).unwrap_or_default()
    }

    fn stream(&mut self, connection: ConnectionId) -> &mut Stream {
        let new = || Stream { parser: StreamParser::new(Limits::default()), flows: BTreeSet::new() };
        self.streams.entry(connection).or_insert_with(new)
    }
}
