//! Calls over trunks whose peers are sockets of this machine.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use call_engine::EndCause;
use model::{
    AppId, ApplicationInstance, CallerForm, Directory, Operation, Outcome, PhoneNumber, SrtpPolicy, TenantId,
    Trunk, TrunkAccount, TrunkId, TrunkPeer, TrunkSecret, TrunkTransport,
};
use sip_message::{Limits, Message, Method, Request, StatusCode, parse_datagram};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use trunk::{Denied, NewTrunkCall};

use super::far_end::Calling;
use super::{OutgoingPart, TrunkCall, Trunks};
use crate::clock::Clock;
use crate::context::SharedDirectory;
use crate::far_end::{FarEnd, FarEndEvent, FarEndEvents, FarEndReport};
use crate::inputs::{InputQueue, inputs};
use crate::observer::{CallLimit, Observer};
use crate::sip::{Sip, SipConfig};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const CALLED: &str = "+4930123456";
const CALLER: &str = "+12015550123";

#[derive(Default)]
struct Seen {
    denied: Mutex<Vec<&'static str>>,
    others: AtomicUsize,
}

impl Observer for Seen {
    fn call_created(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn call_established(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn call_ended(&self, _outcome: Outcome) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn incoming_refused(&self, _limit: CallLimit) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn operation_ended(&self, _operation: &Operation) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn trunk_call_denied(&self, reason: &'static str) {
        self.denied.lock().unwrap().push(reason);
    }
    fn committed(&self, _took: Duration) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
    fn commit_failed(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }
}

/// A trunk's peer.
struct Carrier {
    socket: UdpSocket,
    /// Where the server is, once it has said something.
    server: Option<std::net::SocketAddr>,
}

impl Carrier {
    async fn open() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), server: None }
    }

    /// The trunk that leads to it.
    fn trunk(&self, id: &str, priority: u16) -> Trunk {
        let address = self.socket.local_addr().unwrap();
        Trunk {
            id: TrunkId::from(id),
            tenant: TenantId::from("t"),
            name: id.to_owned(),
            priority,
            weight: NonZeroU32::MIN,
            peer: TrunkPeer {
                host: address.ip().to_string(),
                port: Some(address.port()),
                transport: TrunkTransport::Udp,
            },
            account: None,
            sources: vec!["127.0.0.1".parse().unwrap()],
            allowed_prefixes: vec!["+49".to_owned().try_into().unwrap()],
            blocked_prefixes: Vec::new(),
            calls_per_second: NonZeroU32::new(100).unwrap(),
            concurrent_calls: NonZeroU32::new(100).unwrap(),
            options_interval: None,
            srtp: SrtpPolicy::Never,
            outgoing_rules: Vec::new(),
            incoming_rules: Vec::new(),
            caller_form: CallerForm::E164,
            is_trusted: true,
        }
    }

    /// The next request, repeats of another method apart.
    async fn request(&mut self, method: Method) -> Request {
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
            self.server = Some(from);
            let bytes = Bytes::copy_from_slice(&buffer[..length]);
            let Ok(Message::Request(request)) = parse_datagram(&bytes, &Limits::default()) else { continue };
            if request.method == method {
                return request;
            }
        }
    }

    async fn reply(&self, request: &Request, status: u16, fields: &[(&str, &str)], body: &str) {
        let mut response = request.response(StatusCode::new(status).unwrap());
        if status > 100 && response.headers.to().unwrap().tag().is_none() {
            response.headers.set_to_tag("carrier").unwrap();
        }
        response.headers.push("Contact", format!("<sip:{}>", self.socket.local_addr().unwrap()));
        for (name, value) in fields {
            response.headers.push(name, *value);
        }
        if !body.is_empty() {
            response.headers.set("Content-Type", "application/sdp");
            response.body = Bytes::copy_from_slice(body.as_bytes());
        }
        self.socket.send_to(&response.to_bytes(), self.server.unwrap()).await.unwrap();
    }
}

struct Bench {
    trunks: Trunks,
    sip: Sip,
    seen: Arc<Seen>,
}

/// A call and what it reports.
struct Made {
    far_end: FarEnd,
    reports: InputQueue<FarEndReport>,
}

impl Bench {
    async fn new(trunks: impl IntoIterator<Item = Trunk>, attempt_timeout: Duration) -> Self {
        let number = |text| PhoneNumber::parse(text).unwrap();
        let instance = ApplicationInstance {
            id: "instance".to_owned(),
            app: AppId::from("bot"),
            tenant: TenantId::from("t"),
            numbers: vec![number(CALLER)],
        };
        let directory = Directory {
            trunks: trunks.into_iter().map(|trunk| (trunk.id.clone(), trunk)).collect(),
            instances: [(instance.id.clone(), instance)].into(),
            ..Directory::default()
        };
        let directory: SharedDirectory = Arc::new(ArcSwap::from_pointee(directory.into()));
        let (clock, seen) = (Clock::start(), Arc::<Seen>::default());
        let transport =
            transport::Config { udp: vec![([127, 0, 0, 1], 0).into()], ..transport::Config::default() };
        let config = SipConfig { transport, endpoint: sip_proto::Config::default(), advertised: None };
        let (incoming, _none) = mpsc::channel(1);
        let (sip, _) = Sip::start(config, Arc::clone(&directory), clock, incoming).await.unwrap();
        let observer = Arc::clone(&seen) as Arc<dyn Observer>;
        Self { trunks: Trunks::new(directory, clock, observer, attempt_timeout), sip, seen }
    }

    fn plan(&self, number: &str) -> Result<TrunkCall, Denied> {
        self.trunks.plan(NewTrunkCall {
            app: &AppId::from("bot"),
            tenant: &TenantId::from("t"),
            instance: Some("instance"),
            caller: None,
            number: PhoneNumber::parse(number).unwrap(),
        })
    }

    fn call(&self) -> Made {
        let (own, reports) = inputs();
        let part = OutgoingPart {
            call: self.plan(CALLED).unwrap(),
            offer: Bytes::from_static(SDP.as_bytes()),
            name: Some("Contoso".to_owned()),
            is_private: false,
            subject: None,
            label: "leg".to_owned(),
            events: FarEndEvents::to(own, |report| report),
        };
        Made { far_end: Calling::start(self.sip.clone(), self.trunks.clone(), part), reports }
    }

    fn calls(&self) -> u32 {
        self.trunks.state().dialler.status().map(|status| status.calls).sum()
    }
}

impl Made {
    async fn next(&mut self) -> FarEndEvent {
        self.reports.next().await.unwrap().event
    }

    async fn end(&mut self) -> EndCause {
        match self.next().await {
            FarEndEvent::Ended(cause) => cause,
            other => panic!("{other:?}"),
        }
    }
}

/// Longer than any test runs.
const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_call_goes_on_to_the_next_trunk_and_is_answered_there() {
    let (mut first, mut second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
    let mut call = bench.call();
    let invite = first.request(Method::Invite).await;
    assert_eq!(invite.uri.user().as_deref(), Some(CALLED));
    assert_eq!(invite.headers.from().unwrap().uri.user().as_deref(), Some(CALLER));
    assert_eq!(invite.headers.from().unwrap().display.as_deref(), Some("Contoso"));
    let asserted = invite.headers.asserted_identities().unwrap();
    assert_eq!(asserted.first().and_then(|address| address.uri.user()).as_deref(), Some(CALLER));
    first.reply(&invite, 503, &[], "").await;

    let invite = second.request(Method::Invite).await;
    assert_eq!(invite.body, SDP);
    second.reply(&invite, 183, &[], SDP).await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    second.reply(&invite, 200, &[], SDP).await;
    let answered = loop {
        match call.next().await {
            FarEndEvent::Ringing => {}
            event => break event,
        }
    };
    assert!(matches!(answered, FarEndEvent::Answered { sdp, source: None } if sdp == SDP));
    second.request(Method::Ack).await;
    assert_eq!(bench.calls(), 1);

    call.far_end.hang_up();
    let bye = second.request(Method::Bye).await;
    second.reply(&bye, 200, &[], "").await;
    assert_eq!(call.end().await, EndCause::LocalHangUp);
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_and_its_late_answer_hung_up_on() {
    let (mut silent, mut second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([silent.trunk("a", 1), second.trunk("b", 2)], Duration::from_millis(100)).await;
    let mut call = bench.call();
    let invite = second.request(Method::Invite).await;
    second.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    let given_up = silent.request(Method::Invite).await;
    silent.reply(&given_up, 100, &[], "").await;
    silent.request(Method::Cancel).await;
}

#[tokio::test]
async fn what_the_number_says_ends_the_call_with_its_status() {
    for (status, told) in [(404, 404), (480, 480), (486, 486), (500, 500), (603, 603), (302, 480)] {
        let (mut first, second) = (Carrier::open().await, Carrier::open().await);
        let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
        let mut call = bench.call();
        let invite = first.request(Method::Invite).await;
        first.reply(&invite, status, &[], "").await;
        assert_eq!(call.end().await, EndCause::PhoneNetwork(told));
        assert_eq!(bench.calls(), 0);
    }
}

#[tokio::test]
async fn a_call_that_rings_is_not_made_again_elsewhere() {
    let (mut first, second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
    let mut call = bench.call();
    let invite = first.request(Method::Invite).await;
    first.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    first.reply(&invite, 503, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(503));
}

#[tokio::test]
async fn whoever_gives_up_before_an_answer_cancels_and_frees_the_place() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    carrier.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    drop(call.far_end);
    let cancel = carrier.request(Method::Cancel).await;
    carrier.reply(&cancel, 200, &[], "").await;
    let cause = call.reports.next().await.map(|report| report.event);
    assert!(matches!(cause, Some(FarEndEvent::Ended(EndCause::LocalHangUp))), "{cause:?}");
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_challenge_is_answered_with_the_account() {
    let mut carrier = Carrier::open().await;
    let account = TrunkAccount {
        username: "customer".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration: None,
    };
    let trunk = Trunk { account: Some(account), ..carrier.trunk("a", 1) };
    let bench = Bench::new([trunk], PATIENT).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    let challenge = "Digest realm=\"carrier.example\", nonce=\"n\", algorithm=MD5, qop=\"auth\"";
    carrier.reply(&invite, 401, &[("WWW-Authenticate", challenge)], "").await;
    let invite = loop {
        let again = carrier.request(Method::Invite).await;
        if again.headers.has("Authorization") {
            break again;
        }
    };
    assert!(invite.headers.get("Authorization").unwrap().contains("username=\"customer\""));
    carrier.reply(&invite, 486, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(486));
}

#[tokio::test]
async fn a_denied_call_is_counted_by_its_reason() {
    let carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    assert_eq!(bench.plan("+12015550199").unwrap_err(), Denied::ForbiddenPrefix);
    assert_eq!(*bench.seen.denied.lock().unwrap(), ["forbidden_prefix"]);
    assert_eq!(bench.seen.others.load(Ordering::Relaxed), 0);
}
