//! The one SIP endpoint of a node and the task that owns it.

mod cause;
mod incoming;
mod ladder;
mod shell;
mod trunk;
mod users;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use call_engine::EndCause;
use sip_message::NameAddr;
use tokio::sync::{mpsc, oneshot};
use trace::Recorder;

use crate::clock::Clock;
use crate::context::SharedDirectory;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents};
use crate::observer::SipCounts;
use crate::trunks::Trunks;

pub(crate) use self::incoming::{CallingPhone, IncomingCall, IncomingCaller, TrunkCallee, TrunkCaller};
pub(crate) use self::trunk::{
    Asserted, Attempt, Registration, RegistrationNews, TrunkInvite, TrunkRegister, WeakSip,
};

/// What the SIP side of a node is told once.
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// Sockets and their limits.
    pub transport: transport::Config,
    /// Timers, limits, realm and domains.
    pub endpoint: sip_proto::Config,
    /// The address that is written into messages, where the one that a socket is bound to is not how far ends reach it.
    pub advertised: Option<IpAddr>,
}

/// A SIP address where something was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipAddresses {
    /// The first address for datagrams.
    pub udp: Option<SocketAddr>,
    /// The first address for streams.
    pub tcp: Option<SocketAddr>,
    /// The first address for secure streams.
    pub tls: Option<SocketAddr>,
}

/// Talks to the task that owns the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Sip {
    requests: mpsc::Sender<Request>,
    counts: Arc<SipCounts>,
}

/// What the endpoint's task is asked.
#[derive(Debug)]
enum Request {
    /// Ring every phone of a user.
    Call(Box<Outgoing>),
    /// Call a trunk's peer.
    CallTrunk(Box<trunk::OutgoingTrunk>),
    /// Something else about trunks.
    Trunk(trunk::TrunkRequest),
    /// What a leg tells its phone.
    FarEnd { call: sip_proto::CallHandle, command: FarEndCommand },
    /// Show where users are registered, by their addresses of record.
    Registered(Vec<String>, oneshot::Sender<Vec<Vec<sip_proto::Binding>>>),
    /// Leave: unregister nothing, hang up everything, answer with when it is done.
    Drain(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Outgoing {
    aor: String,
    from: NameAddr,
    to: NameAddr,
    headers: Vec<(String, String)>,
    offer: Bytes,
    events: FarEndEvents,
    commands: mpsc::UnboundedReceiver<FarEndCommand>,
    /// Told at once whether the user has a phone.
    found: oneshot::Sender<bool>,
}

/// A phone that is being called.
pub(crate) struct Dialled {
    pub(crate) aor: String,
    pub(crate) from: NameAddr,
    pub(crate) to: NameAddr,
    /// More headers of the INVITE.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) offer: Bytes,
}

/// Requests that may wait for the endpoint. Beyond it, callers wait; the endpoint takes thousands a second.
const REQUEST_QUEUE: usize = 1024;

impl Sip {
    /// Binds the sockets and starts the endpoint's task. Calls that come in go to `incoming`.
    ///
    /// # Errors
    ///
    /// The address that could not be bound.
    pub(crate) async fn start(
        config: SipConfig,
        directory: SharedDirectory,
        (clock, recorder): (Clock, Recorder),
        trunks: Trunks,
        incoming: mpsc::Sender<IncomingCall>,
    ) -> Result<(Self, SipAddresses), transport::BindError> {
        let transports = transport::Transports::bind(config.transport.clone()).await?;
        let addresses = SipAddresses {
            udp: transports.udp_addresses().next(),
            tcp: transports.tcp_addresses().first().copied(),
            tls: transports.tls_addresses().first().copied(),
        };
        let (requests, received) = mpsc::channel(REQUEST_QUEUE);
        let counts = Arc::<SipCounts>::default();
        let links = shell::Links {
            clock,
            requests: requests.downgrade(),
            counts: Arc::clone(&counts),
            directory,
            trunks,
            incoming,
            recorder,
        };
        tokio::spawn(shell::Shell::new(config, transports, links).run(received));
        Ok((Self { requests, counts }, addresses))
    }

    /// What the endpoint holds at the moment.
    pub(crate) fn counts(&self) -> &SipCounts {
        &self.counts
    }

    /// Rings every phone that the user has registered; `None` where there is none.
    pub(crate) async fn call(&self, dialled: Dialled, events: FarEndEvents) -> Option<FarEnd> {
        let (far_end, commands) = FarEnd::new();
        let (found, is_found) = oneshot::channel();
        let Dialled { aor, from, to, headers, offer } = dialled;
        let outgoing = Outgoing { aor, from, to, headers, offer, events, commands, found };
        self.requests.send(Request::Call(Box::new(outgoing))).await.ok()?;
        is_found.await.ok()?.then_some(far_end)
    }

    /// Where users are registered, by their addresses of record; nothing where the endpoint is gone.
    pub(crate) async fn registered(&self, users: Vec<String>) -> Vec<Vec<sip_proto::Binding>> {
        let (reply, answered) = oneshot::channel();
        let is_asked = self.requests.send(Request::Registered(users, reply)).await.is_ok();
        if is_asked { answered.await.unwrap_or_default() } else { Vec::new() }
    }

    /// Hangs up everything and waits until nothing is left to be said, or the far ends have had their time.
    pub(crate) async fn drain(&self) {
        let (done, is_done) = oneshot::channel();
        if self.requests.send(Request::Drain(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }
}

/// Reports an end to a leg.
fn report_end(events: &FarEndEvents, cause: EndCause) {
    events.report(FarEndEvent::Ended(cause));
}
