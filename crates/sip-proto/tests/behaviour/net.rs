//! Endpoints and hand-driven peers on one thread, with a network and a clock that the test owns.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip_message::digest::{Algorithm, Ha1};
use sip_message::{Limits, Message, Method, NameAddr, Request, Response, StatusCode, parse_datagram};
use sip_proto::{
    CallHandle, Config, EndCause, Endpoint, Event, Flow, IncomingPolicy, NewCall, Target, Transport,
    UserCredentials, UserTable,
};

pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=offer\r\n";
pub(crate) const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=answer\r\n";

/// The endpoint of most tests, and the far ends that it meets.
pub(crate) const HOME: u16 = 5060;
pub(crate) const PEER: u16 = 6001;
pub(crate) const PEER_2: u16 = 6002;
pub(crate) const PEER_3: u16 = 6003;

pub(crate) fn addr(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

pub(crate) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

/// The default configuration, with a user who takes calls.
pub(crate) fn config() -> Config {
    Config { incoming: IncomingPolicy::Offer, ..Config::default() }
}

/// What the network does to datagrams, in thousandths, and how late they come.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) duplicates: u64,
    pub(crate) delay_ms: u64,
}

enum Node {
    Endpoint {
        endpoint: Box<Endpoint>,
        events: Vec<Event>,
    },
    /// A far end that the test drives by hand.
    Peer(Vec<Message>),
}

pub(crate) struct Net {
    pub(crate) now: Duration,
    pub(crate) faults: Faults,
    pub(crate) transport: Transport,
    nodes: BTreeMap<u16, Node>,
    wire: BTreeMap<(Duration, u64), (u16, Flow, Bytes)>,
    /// First line of each message sent, with the ports of both ends.
    pub(crate) log: Vec<(u16, u16, String)>,
    sent: u64,
    random: u64,
}

impl Net {
    /// One endpoint at [`HOME`], hand-driven peers at the other ports.
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let mut net = Self {
            now: seconds(1000),
            faults: Faults::default(),
            transport: Transport::Udp,
            nodes: BTreeMap::new(),
            wire: BTreeMap::new(),
            log: Vec::new(),
            sent: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        };
        net.add_endpoint(HOME, config);
        for port in [PEER, PEER_2, PEER_3] {
            net.nodes.insert(port, Node::Peer(Vec::new()));
        }
        net
    }

    /// Two endpoints, the second one at [`PEER`].
    pub(crate) fn pair() -> Self {
        let mut net = Self::new();
        net.add_endpoint(PEER, config());
        net
    }

    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = seed | 1;
    }

    pub(crate) fn add_endpoint(&mut self, port: u16, config: Config) {
        let endpoint = Endpoint::new(config, [port as u8; 32], Box::new(users()));
        self.nodes.insert(port, Node::Endpoint { endpoint: Box::new(endpoint), events: Vec::new() });
    }

    pub(crate) fn flow(&self, from: u16, to: u16) -> Flow {
        let connection = self.transport.is_reliable().then_some(u64::from(from.max(to)));
        Flow { transport: self.transport, local: addr(from), remote: addr(to), connection }
    }

    /// Gives an input to an endpoint and puts what it sends on the wire.
    pub(crate) fn at<T>(&mut self, port: u16, input: impl FnOnce(&mut Endpoint, Duration) -> T) -> T {
        let Some(Node::Endpoint { endpoint, events }) = self.nodes.get_mut(&port) else {
            panic!("no endpoint at {port}");
        };
        let result = input(endpoint, self.now);
        let mut transmits = Vec::new();
        while let Some(transmit) = endpoint.poll_transmit() {
            transmits.push(transmit);
        }
        while let Some(event) = endpoint.poll_event() {
            events.push(event);
        }
        for transmit in transmits {
            self.put(port, transmit.flow.remote.port(), transmit.bytes);
        }
        result
    }

    pub(crate) fn endpoint(&self, port: u16) -> &Endpoint {
        match self.nodes.get(&port) {
            Some(Node::Endpoint { endpoint, .. }) => endpoint,
            _ => panic!("no endpoint at {port}"),
        }
    }

    /// The events of an endpoint since the last time.
    pub(crate) fn events(&mut self, port: u16) -> Vec<Event> {
        match self.nodes.get_mut(&port) {
            Some(Node::Endpoint { events, .. }) => std::mem::take(events),
            _ => panic!("no endpoint at {port}"),
        }
    }

    /// The messages that reached a peer since the last time.
    pub(crate) fn inbox(&mut self, port: u16) -> Vec<Message> {
        match self.nodes.get_mut(&port) {
            Some(Node::Peer(inbox)) => std::mem::take(inbox),
            _ => panic!("no peer at {port}"),
        }
    }

    /// The only request of that method that reached a peer; everything else in its inbox is dropped.
    pub(crate) fn request(&mut self, port: u16, method: Method) -> Request {
        let mut found = self.requests(port, &method);
        assert_eq!(found.len(), 1, "{method} at {port}: {found:?}");
        found.remove(0)
    }

    pub(crate) fn requests(&mut self, port: u16, method: &Method) -> Vec<Request> {
        self.inbox(port)
            .into_iter()
            .filter_map(|message| match message {
                Message::Request(request) if request.method == *method => Some(request),
                _ => None,
            })
            .collect()
    }

    /// The only response that reached a peer, provisional ones apart.
    pub(crate) fn response(&mut self, port: u16) -> Response {
        let mut found = self.responses(port);
        found.retain(|response| response.status.is_final());
        assert_eq!(found.len(), 1, "at {port}: {found:?}");
        found.remove(0)
    }

    pub(crate) fn responses(&mut self, port: u16) -> Vec<Response> {
        self.inbox(port)
            .into_iter()
            .filter_map(|message| match message {
                Message::Response(response) => Some(response),
                Message::Request(_) => None,
            })
            .collect()
    }

    /// How often a first line with that beginning left a port.
    pub(crate) fn count(&self, from: u16, start: &str) -> usize {
        self.log.iter().filter(|(port, _, line)| *port == from && line.starts_with(start)).count()
    }

    pub(crate) fn put(&mut self, from: u16, to: u16, bytes: Bytes) {
        let line = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        self.log.push((from, to, line));
        if self.chance(self.faults.loss) {
            return;
        }
        let copies = 1 + u64::from(self.chance(self.faults.duplicates));
        for _ in 0..copies {
            let delay = if self.faults.delay_ms == 0 { 0 } else { self.next() % self.faults.delay_ms };
            self.sent += 1;
            let flow = self.flow(to, from);
            self.wire.insert((self.now + ms(1 + delay), self.sent), (to, flow, bytes.clone()));
        }
    }

    pub(crate) fn send(&mut self, from: u16, to: u16, message: impl Into<Wire>) {
        self.put(from, to, message.into().0);
    }

    /// A peer answers a request.
    pub(crate) fn reply(
        &mut self,
        from: u16,
        request: &Request,
        code: u16,
        fields: &[(&str, &str)],
        body: &str,
    ) {
        let mut response = request.response(status(code));
        if code > 100 && request.headers.to().unwrap().tag().is_none() {
            response.headers.set_to_tag(&format!("peer{from}")).unwrap();
        }
        for (name, value) in fields {
            response.headers.set(name, *value);
        }
        if !body.is_empty() {
            response.headers.set("Content-Type", "application/sdp");
            response.body = Bytes::copy_from_slice(body.as_bytes());
        }
        self.send(from, request.headers.top_via().unwrap().port.unwrap(), response);
    }

    /// A peer accepts an INVITE, with its Contact and answer.
    pub(crate) fn accept(&mut self, from: u16, invite: &Request) {
        self.accept_with(from, invite, &[]);
    }

    pub(crate) fn accept_with(&mut self, from: u16, invite: &Request, fields: &[(&str, &str)]) {
        let contact = format!("<sip:peer@127.0.0.1:{from}>");
        let mut all = vec![("Contact", contact.as_str())];
        all.extend_from_slice(fields);
        self.reply(from, invite, 200, &all, ANSWER);
    }

    /// Lets time pass, with everything that happens in it.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..1_000_000 {
            let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
            let timers = self.nodes.iter().filter_map(|(port, node)| match node {
                Node::Endpoint { endpoint, .. } => Some((endpoint.poll_timeout()?, *port)),
                Node::Peer(_) => None,
            });
            let timer = timers.min();
            let next = wire.into_iter().chain(timer.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if wire == Some(next) {
                let (_, (to, flow, bytes)) = self.wire.pop_first().unwrap();
                self.arrive(to, flow, bytes);
            } else if let Some((_, port)) = timer {
                self.at(port, |endpoint, now| endpoint.handle_timeout(now));
            }
        }
        panic!("the network does not come to rest");
    }

    /// Time for messages to go there and back, and none for a timer.
    pub(crate) fn exchange(&mut self) {
        self.run(ms(20));
    }

    fn arrive(&mut self, to: u16, flow: Flow, bytes: Bytes) {
        match self.nodes.get_mut(&to) {
            Some(Node::Endpoint { .. }) => {
                self.at(to, |endpoint, now| endpoint.handle_receive(flow, &bytes, now));
            }
            Some(Node::Peer(inbox)) => match parse_datagram(&bytes, &Limits::default()) {
                Ok(message) => inbox.push(message),
                // The answer to a malformed request repeats what was malformed.
                Err(_) if bytes.starts_with(b"SIP/2.0 400") => {}
                Err(reject) => panic!("the endpoint sent {bytes:?}: {reject}"),
            },
            None => {}
        }
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        thousandths > 0 && self.next() % 1000 < thousandths
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Calls peers from [`HOME`].
    pub(crate) fn call(&mut self, targets: &[u16]) -> CallHandle {
        let new = self.new_call(targets);
        let handle = self.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
        self.exchange();
        handle
    }

    pub(crate) fn new_call(&self, targets: &[u16]) -> NewCall {
        let target = |port: &u16| Target {
            uri: format!("sip:john@127.0.0.1:{port}").parse().unwrap(),
            flow: self.flow(HOME, *port),
        };
        NewCall {
            targets: targets.iter().map(target).collect(),
            from: "\"A bot\" <sip:bot@contoso.example>".parse().unwrap(),
            to: "<sip:john@contoso.example>".parse().unwrap(),
            offer: Bytes::from_static(OFFER.as_bytes()),
            session_timer: None,
            credentials: None,
            headers: Vec::new(),
        }
    }

    /// A call to [`PEER`] that was answered; gives its INVITE.
    pub(crate) fn answered(&mut self, fields: &[(&str, &str)]) -> (CallHandle, Request) {
        let handle = self.call(&[PEER]);
        let invite = self.request(PEER, Method::Invite);
        self.accept_with(PEER, &invite, fields);
        self.exchange();
        assert!(matches!(self.events(HOME).last(), Some(Event::Answered { .. })));
        assert_eq!(self.requests(PEER, &Method::Ack).len(), 1);
        (handle, invite)
    }

    /// An answered call from the endpoint at [`HOME`] to the one at [`PEER`]; gives its handle at both.
    pub(crate) fn connected(&mut self) -> (CallHandle, CallHandle) {
        let caller = self.call(&[PEER]);
        let Some(Event::Incoming(incoming)) = self.events(PEER).into_iter().next() else { panic!("no call") };
        let answer = Bytes::from_static(ANSWER.as_bytes());
        self.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
        self.exchange();
        self.events(HOME);
        self.events(PEER);
        (caller, incoming.handle)
    }

    /// Whether nothing of any call is left at an endpoint.
    pub(crate) fn assert_idle(&self, port: u16) {
        assert!(
            self.endpoint(port).is_idle(),
            "{:?} {:?}",
            self.endpoint(port),
            self.endpoint(port).poll_timeout()
        );
    }

    pub(crate) fn ended(&mut self, port: u16) -> EndCause {
        let ended: Vec<_> = self
            .events(port)
            .into_iter()
            .filter_map(|event| match event {
                Event::Ended { cause, .. } => Some(cause),
                _ => None,
            })
            .collect();
        assert_eq!(ended.len(), 1, "{ended:?}");
        ended.into_iter().next().unwrap()
    }
}

/// A message on its way.
pub(crate) struct Wire(Bytes);

impl From<Request> for Wire {
    fn from(request: Request) -> Self {
        Self(request.to_bytes())
    }
}

impl From<Response> for Wire {
    fn from(response: Response) -> Self {
        Self(response.to_bytes())
    }
}

impl From<String> for Wire {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

/// A request of a hand-driven peer outside dialogs.
pub(crate) fn request(from: u16, method: &str, uri: &str, fields: &[(&str, &str)], body: &str) -> Request {
    let mut request = Request::new(method.parse().unwrap(), uri.parse().unwrap());
    let branch = format!("z9hG4bK{from}{method}{}", fields.len());
    request.headers.push("Via", format!("SIP/2.0/UDP 127.0.0.1:{from};branch={branch}"));
    request.headers.push("From", format!("<sip:peer@127.0.0.1:{from}>;tag=peer{from}"));
    request.headers.push("To", format!("<{uri}>"));
    request.headers.push("Call-ID", format!("call-of-{from}"));
    request.headers.push("CSeq", format!("1 {method}"));
    request.headers.push("Contact", format!("<sip:peer@127.0.0.1:{from}>"));
    request.headers.push("Max-Forwards", "70");
    for (name, value) in fields {
        request.headers.set(name, *value);
    }
    if !body.is_empty() {
        request.headers.push("Content-Type", "application/sdp");
        request.body = Bytes::copy_from_slice(body.as_bytes());
    }
    request
}

/// A request of a hand-driven peer in the dialog that `invite`, which it answered, opened.
pub(crate) fn in_dialog(from: u16, invite: &Request, method: &str, cseq: u32, body: &str) -> Request {
    let uri = invite.headers.contact().unwrap().unwrap().uri.to_string();
    let mut request = request(from, method, &uri, &[], body);
    let local: NameAddr = invite.headers.to().unwrap().with_tag(&format!("peer{from}"));
    request.headers.set("From", &local);
    request.headers.set("To", invite.headers.from().unwrap());
    request.headers.set("Call-ID", invite.headers.call_id().unwrap());
    request.headers.set("CSeq", format!("{cseq} {method}"));
    request.headers.set("Via", format!("SIP/2.0/UDP 127.0.0.1:{from};branch=z9hG4bK{method}{cseq}"));
    request
}

/// john, whose password is `secret` in the realm of the default configuration.
pub(crate) fn users() -> UserTable {
    let credentials = |username: &str| UserCredentials {
        aor: "john@contoso.example".to_owned(),
        ha1_md5: Some(Ha1::new(Algorithm::Md5, username, "hookswitch", "secret")),
        ha1_sha256: Some(Ha1::new(Algorithm::Sha256, username, "hookswitch", "secret")),
    };
    ["john", "john@contoso.example"].map(|name| (name.to_owned(), credentials(name))).into()
}
