//! The client transactions of an endpoint.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_message::{Host, MAGIC_COOKIE, Method, Request, Response, Transport as ViaTransport, Via};

use super::invite_client::{self, InviteClient};
use super::non_invite_client::{self, NonInviteClient};
use super::{Clock, Failure, Send, Step};
use crate::core::{Core, TimerKey};
use crate::flow::{Flow, Transport};

/// Names a client transaction. A CANCEL shares the number of the INVITE that it cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId {
    number: u64,
    cancel: bool,
}

/// Who wants to know how a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A BYE whose far end may ask for a password.
    Farewell,
    /// An initial INVITE: the call, and which of its forks.
    Fork { call: u64, fork: usize },
    /// Nobody: the request has to be delivered, its answer changes nothing.
    Nobody,
    /// An OPTIONS of this side.
    Ping(u64),
    /// A REGISTER of this side.
    Registration(u64),
    /// A request within the dialog of a call.
    Session { call: u64 },
}

/// What a transaction tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Failed(Failure),
    Response(Response),
}

/// An outcome with its address.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) owner: Owner,
    pub(crate) id: ClientId,
    pub(crate) outcome: Outcome,
}

/// All client transactions.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    table: BTreeMap<ClientId, Client>,
    /// For errors of a flow, which name no transaction.
    flows: BTreeSet<(Flow, ClientId)>,
    last: u64,
}

impl Clients {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transactions that use `flow`.
    pub(crate) fn on_flow(&self, flow: Flow) -> Vec<ClientId> {
        let first = ClientId { number: 0, cancel: false };
        let last = ClientId { number: u64::MAX, cancel: true };
        self.flows.range((flow, first)..=(flow, last)).map(|(_, id)| *id).collect()
    }
}

#[derive(Debug)]
struct Client {
    machine: Machine,
    flow: Flow,
    owner: Owner,
    method: Method,
    branch: String,
    /// Empty once nothing repeats it.
    bytes: Bytes,
    /// An INVITE without its body while its CANCEL or ACK may have to be made from it.
    head: Option<Box<Request>>,
    ack: Bytes,
    scheduled: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum Machine {
    Invite(InviteClient),
    Other(NonInviteClient),
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    Invite(invite_client::Input),
    Other(non_invite_client::Input),
}

impl Machine {
    fn next_timer(&self) -> Option<(Duration, Timer)> {
        match self {
            Self::Invite(machine) => machine.next_timer().map(|(at, timer)| (at, Timer::Invite(timer))),
            Self::Other(machine) => machine.next_timer().map(|(at, timer)| (at, Timer::Other(timer))),
        }
    }

    fn fire(&mut self, timer: Timer, clock: &Clock) -> Step {
        match (self, timer) {
            (Self::Invite(machine), Timer::Invite(input)) => {
                advance(machine, InviteClient::handle, input, clock)
            }
            (Self::Other(machine), Timer::Other(input)) => {
                advance(machine, NonInviteClient::handle, input, clock)
            }
            (Self::Invite(_) | Self::Other(_), Timer::Invite(_) | Timer::Other(_)) => Step::NOTHING,
        }
    }

    fn response(&mut self, response: &Response, clock: &Clock) -> Step {
        let status = response.status;
        match self {
            Self::Invite(machine) => {
                let input = if status.is_provisional() {
                    invite_client::Input::Provisional
                } else if status.is_success() {
                    invite_client::Input::Success
                } else {
                    invite_client::Input::Refusal
                };
                advance(machine, InviteClient::handle, input, clock)
            }
            Self::Other(machine) => {
                let input = if status.is_provisional() {
                    non_invite_client::Input::Provisional
                } else {
                    non_invite_client::Input::Final
                };
                advance(machine, NonInviteClient::handle, input, clock)
            }
        }
    }

    fn transport_error(&mut self, clock: &Clock) -> Step {
        match self {
            Self::Invite(machine) => {
                advance(machine, InviteClient::handle, invite_client::Input::TransportError, clock)
            }
            Self::Other(machine) => {
                advance(machine, NonInviteClient::handle, non_invite_client::Input::TransportError, clock)
            }
        }
    }

    fn is_terminated(&self) -> bool {
        matches!(self, Self::Invite(InviteClient::Terminated) | Self::Other(NonInviteClient::Terminated))
    }

    /// Whether the request may have to be sent again.
    fn repeats(&self) -> bool {
        match self {
            Self::Invite(machine) => matches!(machine, InviteClient::Calling { .. }),
            Self::Other(machine) => {
                matches!(machine, NonInviteClient::Trying { .. } | NonInviteClient::Proceeding { .. })
            }
        }
    }

    /// Whether a CANCEL or the first ACK may have to be made from the INVITE.
    fn needs_head(&self) -> bool {
        matches!(self, Self::Invite(InviteClient::Calling { .. } | InviteClient::Proceeding))
    }
}

/// Puts the state after `input` in the place of the state before.
fn advance<M: Copy, I>(
    machine: &mut M,
    handle: impl FnOnce(M, I, &Clock) -> (M, Step),
    input: I,
    clock: &Clock,
) -> Step {
    let (next, step) = handle(*machine, input, clock);
    *machine = next;
    step
}

impl Core {
    /// Sends a request in a transaction of its own.
    ///
    /// Not held against the table's limit: a call that was let in may also be ended. [`Self::is_full`]
    /// is asked where calls come in.
    pub(crate) fn send_request(&mut self, flow: Flow, mut request: Request, owner: Owner) -> ClientId {
        self.clients.last += 1;
        let id = ClientId { number: self.clients.last, cancel: false };
        let branch = format!("{MAGIC_COOKIE}{:x}.{}", id.number, self.entropy.token());
        request.headers.push_front("Via", via(&flow, &branch));
        self.finish_request(&mut request);
        self.start_client(id, flow, branch, (request, owner));
        id
    }

    /// Sends a request that belongs to no transaction: the ACK of a 2xx. Returns it for repeats.
    pub(crate) fn send_ack(&mut self, flow: Flow, mut request: Request) -> Bytes {
        let branch = format!("{MAGIC_COOKIE}ack.{}", self.entropy.token());
        request.headers.push_front("Via", via(&flow, &branch));
        self.finish_request(&mut request);
        let bytes = request.to_bytes();
        self.transmit(flow, bytes.clone());
        bytes
    }

    /// Sends the CANCEL of an INVITE that has had a provisional response (RFC 3261, 9.1).
    pub(crate) fn send_cancel(&mut self, invite: ClientId, reason: Option<&str>) {
        let Some(client) = self.clients.table.get(&invite) else { return };
        let Some(head) = &client.head else { return };
        let mut cancel = of_same_transaction(head, Method::Cancel);
        if let Some(to) = head.headers.get("To") {
            cancel.headers.push("To", to);
        }
        if let Some(reason) = reason {
            cancel.headers.push("Reason", reason);
        }
        let (flow, branch) = (client.flow, client.branch.clone());
        self.finish_request(&mut cancel);
        self.start_client(ClientId { cancel: true, ..invite }, flow, branch, (cancel, Owner::Nobody));
    }

    fn start_client(&mut self, id: ClientId, flow: Flow, branch: String, what: (Request, Owner)) {
        let (mut request, owner) = what;
        let clock = self.clock(&flow);
        let bytes = request.to_bytes();
        self.transmit(flow, bytes.clone());
        let method = request.method.clone();
        let (machine, head) = if method == Method::Invite {
            request.body = Bytes::new();
            (Machine::Invite(InviteClient::start(&clock)), Some(Box::new(request)))
        } else {
            (Machine::Other(NonInviteClient::start(&clock)), None)
        };
        let client =
            Client { machine, flow, owner, method, branch, bytes, head, ack: Bytes::new(), scheduled: None };
        self.clients.flows.insert((flow, id));
        self.clients.table.insert(id, client);
        self.settle_client(id);
    }

    /// Matches a response with its request (RFC 3261, 17.1.3).
    pub(crate) fn receive_response(&mut self, response: Response) -> Option<Delivery> {
        let vias = response.headers.vias().ok()?;
        // A second Via means that the response belongs to someone behind us (RFC 3261, 8.1.3.3).
        let [via] = vias.as_slice() else { return None };
        let cseq = response.headers.cseq().ok()?;
        let (number, _) = via.rfc3261_branch()?.split_once('.')?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let id = ClientId { number, cancel: cseq.method == Method::Cancel };
        let clock = self.clients.table.get(&id).map(|client| self.clock(&client.flow))?;
        let client = self.clients.table.get_mut(&id)?;
        if via.branch() != Some(client.branch.as_str()) || cseq.method != client.method {
            return None;
        }
        let step = client.machine.response(&response, &clock);
        if step.send == Some(Send::Ack)
            && let Some(head) = &client.head
        {
            client.ack = failure_ack(head, &response, &self.config.product);
        }
        self.perform(id, step, Some(response))
    }

    /// Fires the due timers of a client transaction.
    pub(crate) fn fire_client(&mut self, id: ClientId) -> Option<Delivery> {
        let clock = self.clients.table.get(&id).map(|client| self.clock(&client.flow))?;
        let client = self.clients.table.get_mut(&id)?;
        client.scheduled = None;
        let (at, timer) = client.machine.next_timer()?;
        let step = if at <= clock.now { client.machine.fire(timer, &clock) } else { Step::NOTHING };
        self.perform(id, step, None)
    }

    /// Tells a client transaction that its flow does not work.
    pub(crate) fn fail_client(&mut self, id: ClientId) -> Option<Delivery> {
        let clock = self.clients.table.get(&id).map(|client| self.clock(&client.flow))?;
        let step = self.clients.table.get_mut(&id)?.machine.transport_error(&clock);
        self.perform(id, step, None)
    }

    /// Forgets a client transaction, whatever it awaits.
    pub(crate) fn drop_client(&mut self, id: ClientId) {
        if let Some(mut client) = self.clients.table.remove(&id) {
            self.clients.flows.remove(&(client.flow, id));
            self.timers.reschedule(TimerKey::Client(id), &mut client.scheduled, None);
        }
    }

    fn perform(&mut self, id: ClientId, step: Step, response: Option<Response>) -> Option<Delivery> {
        let client = self.clients.table.get(&id)?;
        let (flow, owner) = (client.flow, client.owner);
        let bytes = match step.send {
            Some(Send::Ack) => Some(client.ack.clone()),
            Some(Send::Request) => Some(client.bytes.clone()),
            Some(Send::Response) | None => None,
        };
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            self.transmit(flow, bytes);
        }
        self.settle_client(id);
        let outcome = match (step.failure, response) {
            (Some(failure), _) => Outcome::Failed(failure),
            (None, Some(response)) if step.deliver => Outcome::Response(response),
            (None, _) => return None,
        };
        Some(Delivery { owner, id, outcome })
    }

    /// Sets the next deadline, lets go of what is not needed any more, or of the whole transaction.
    fn settle_client(&mut self, id: ClientId) {
        let now = self.now;
        let Some(client) = self.clients.table.get_mut(&id) else { return };
        let next = client.machine.next_timer().map(|(at, _)| at);
        // Timers that are zero on reliable transports end a transaction at once.
        let over = !client.machine.repeats() && next.is_some_and(|at| at <= now);
        if client.machine.is_terminated() || over {
            self.drop_client(id);
            return;
        }
        if !client.machine.repeats() {
            client.bytes = Bytes::new();
        }
        if !client.machine.needs_head() {
            client.head = None;
        }
        self.timers.reschedule(TimerKey::Client(id), &mut client.scheduled, next);
    }
}

fn via(flow: &Flow, branch: &str) -> Via {
    let transport = match flow.transport {
        Transport::Tcp => ViaTransport::Tcp,
        Transport::Tls => ViaTransport::Tls,
        Transport::Udp => ViaTransport::Udp,
    };
    Via::new(transport, Host::from(flow.local.ip()), Some(flow.local.port()), branch)
}

/// The ACK of a failure, which is part of the INVITE's transaction (RFC 3261, 17.1.1.3).
fn failure_ack(invite: &Request, response: &Response, product: &str) -> Bytes {
    let mut ack = of_same_transaction(invite, Method::Ack);
    if let Some(to) = response.headers.get("To") {
        ack.headers.push("To", to);
    }
    ack.headers.push("Max-Forwards", 70);
    ack.headers.push("User-Agent", product);
    ack.to_bytes()
}

/// A CANCEL or ACK with everything but To copied from its INVITE.
fn of_same_transaction(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    for name in ["Via", "Route", "From", "Call-ID"] {
        for value in invite.headers.get_all(name) {
            request.headers.push(name, value);
        }
    }
    if let Ok(mut cseq) = invite.headers.cseq() {
        cseq.method = method;
        request.headers.push("CSeq", &cseq);
    }
    request
}
