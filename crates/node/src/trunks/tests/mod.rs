//! Trunks whose peers are sockets of this machine.

mod calling;
mod driving;
mod incoming;
mod secure;
mod usage;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use call_engine::EndCause;
use model::{
    AppId, ApplicationInstance, CallerForm, Directory, Operation, Outcome, PhoneNumber, SrtpPolicy, Tenant,
    TenantId, Trunk, TrunkId, TrunkPeer, TrunkTransport, TrunkUsage,
};
use sip_message::{Limits, Message, Method, Request, Response, StatusCode, parse_datagram};
use store::{Reply, StoreError, TrunkUsageStore};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use trace::Recorder;
use trunk::{Denied, NewTrunkCall};

use super::far_end::Calling;
use super::{OutgoingPart, TrunkCall, Trunks};
use crate::clock::Clock;
use crate::context::SharedDirectory;
use crate::far_end::{FarEnd, FarEndEvent, FarEndEvents, FarEndReport};
use crate::inputs::{InputQueue, inputs};
use crate::observer::{CallLimit, Observer};
use crate::sip::{IncomingCall, Sip, SipConfig};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const CALLED: &str = "+4930123456";
const CALLER: &str = "+12015550123";
const DIAL_IN: &str = "+12015550177";

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

/// A store that keeps what is used, as long as it does not fail.
#[derive(Default)]
struct Used {
    kept: Mutex<Vec<TrunkUsage>>,
    is_broken: AtomicBool,
}

impl Used {
    /// What is kept of the application.
    fn of_bot(&self) -> Option<TrunkUsage> {
        self.kept.lock().unwrap().last().cloned()
    }
}

impl TrunkUsageStore for Used {
    fn trunk_usage(&self, day: i64) -> Reply<'_, Vec<TrunkUsage>> {
        let kept = self.kept.lock().unwrap().clone();
        Box::pin(async move { Ok(kept.into_iter().filter(|usage| usage.day == day).collect()) })
    }

    fn keep_trunk_usage(&self, usage: TrunkUsage) -> Reply<'_, ()> {
        Box::pin(async move {
            // As a disk does, it lets others go first.
            tokio::task::yield_now().await;
            if self.is_broken.load(Ordering::Relaxed) {
                return Err(StoreError::Busy);
            }
            self.kept.lock().unwrap().push(usage);
            Ok(())
        })
    }
}

/// A trunk's peer.
struct Carrier {
    socket: UdpSocket,
    /// Where the server is, once it has said something.
    server: Option<SocketAddr>,
}

impl Carrier {
    async fn open() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), server: None }
    }

    /// The trunk that leads to it.
    fn trunk(&self, id: &str, priority: u16) -> Trunk {
        trunk_at(self.socket.local_addr().unwrap(), id, priority)
    }

    /// The next request of that method, whatever else comes before it.
    async fn request(&mut self, method: Method) -> Request {
        loop {
            match self.message().await {
                Message::Request(request) if request.method == method => return request,
                Message::Request(_) | Message::Response(_) => {}
            }
        }
    }

    /// The next response that is final.
    async fn response(&mut self) -> Response {
        loop {
            match self.message().await {
                Message::Response(response) if response.status.is_final() => return response,
                Message::Request(_) | Message::Response(_) => {}
            }
        }
    }

    async fn message(&mut self) -> Message {
        let mut buffer = vec![0; 65_535];
        let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
        self.server = Some(from);
        parse_datagram(&Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap()
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

/// A trunk without secrets to a place.
pub(super) fn trunk_at(address: SocketAddr, id: &str, priority: u16) -> Trunk {
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

struct Bench {
    trunks: Trunks,
    sip: Sip,
    seen: Arc<Seen>,
    used: Arc<Used>,
    directory: SharedDirectory,
    /// Calls that come in.
    taken: mpsc::Receiver<IncomingCall>,
    address: SocketAddr,
    numbers: AtomicUsize,
}

/// A call and what it reports.
struct Made {
    far_end: FarEnd,
    reports: InputQueue<FarEndReport>,
}

impl Bench {
    async fn new(trunks: impl IntoIterator<Item = Trunk>, attempt_timeout: Duration) -> Self {
        let transport = transport::Config::default();
        Self::over(transport, trunks, attempt_timeout).await
    }

    async fn over(
        transport: transport::Config,
        trunks: impl IntoIterator<Item = Trunk>,
        attempt_timeout: Duration,
    ) -> Self {
        let directory = directory(trunks);
        let (clock, seen) = (Clock::start(), Arc::<Seen>::default());
        let transport = transport::Config { udp: vec![([127, 0, 0, 1], 0).into()], ..transport };
        let config = SipConfig { transport, endpoint: sip_proto::Config::default(), advertised: None };
        let (incoming, taken) = mpsc::channel(8);
        let observer = Arc::clone(&seen) as Arc<dyn Observer>;
        let used = Arc::<Used>::default();
        let store = Arc::clone(&used) as Arc<dyn TrunkUsageStore>;
        let trunks = Trunks::new(Arc::clone(&directory), clock, observer, store, attempt_timeout);
        let (sip, addresses) =
            Sip::start(config, Arc::clone(&directory), (clock, Recorder::off()), trunks.clone(), incoming)
                .await
                .unwrap();
        trunks.drive(&sip);
        Self {
            trunks,
            sip,
            seen,
            used,
            directory,
            taken,
            address: addresses.udp.unwrap(),
            numbers: AtomicUsize::new(0),
        }
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

    /// Waits until the driver has looked at the directory and the endpoint knows.
    async fn is_driven(&self) {
        self.until(|bench| !bench.trunks.state().is_directory_new).await;
        // The endpoint takes one request after another.
        let gone = sip_proto::Candidate {
            transport: sip_proto::Transport::Tls,
            remote: self.address,
            name: "localhost".to_owned(),
        };
        let asked = self.sip.ping(gone, "sip:localhost".parse().unwrap()).await;
        assert_eq!(asked, Err(sip_proto::PingFailure::TransportFailed));
    }

    /// Waits until something is so.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            tokio::task::yield_now().await;
        }
    }

    async fn refused_at_least(&self, count: u64) {
        self.until(|bench| bench.trunks.stats().refused.unknown_number >= count).await;
    }

    /// What the application has used of this day.
    fn usage(&self) -> TrunkUsage {
        self.trunks.state().dialler.usage(&AppId::from("bot"), self.trunks.0.clock.now())
    }

    /// A number that no other one is.
    fn next_number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn calls(&self) -> u32 {
        self.trunks.state().dialler.status().map(|status| status.calls).sum()
    }
}

/// A tenant whose application has a number, and whose meetings have another one.
fn directory(trunks: impl IntoIterator<Item = Trunk>) -> SharedDirectory {
    let number = |text| PhoneNumber::parse(text).unwrap();
    let instance = ApplicationInstance {
        id: "instance".to_owned(),
        app: AppId::from("bot"),
        tenant: TenantId::from("t"),
        numbers: vec![number(CALLER)],
        is_withheld: false,
    };
    let tenant = Tenant {
        id: TenantId::from("t"),
        name: "Contoso".to_owned(),
        grants: [].into(),
        access_policies: [].into(),
        dial_in_numbers: [number(DIAL_IN)].into(),
    };
    let directory = Directory {
        trunks: trunks.into_iter().map(|trunk| (trunk.id.clone(), trunk)).collect(),
        instances: [(instance.id.clone(), instance)].into(),
        tenants: [(tenant.id.clone(), tenant)].into(),
        ..Directory::default()
    };
    Arc::new(ArcSwap::from_pointee(directory.into()))
}

impl Made {
    async fn next(&mut self) -> FarEndEvent {
        self.reports.next().await.unwrap().event
    }

    async fn end(&mut self) -> EndCause {
        let event = self.next().await;
        let FarEndEvent::Ended(cause) = event else { panic!("{event:?}") };
        cause
    }
}

/// Longer than any test runs.
const PATIENT: Duration = Duration::from_secs(60);
