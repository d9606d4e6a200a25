//! The server transactions of an endpoint.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_message::{CSeq, Method, Request, Response, Via};

use super::invite_server::{self, InviteServer};
use super::non_invite_server::{self, NonInviteServer};
use super::{Clock, Failure, Send, Step};
use crate::core::{Core, TimerKey};
use crate::flow::Flow;
use crate::inbound::Inbound;

/// Names a server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(u64);

/// All server transactions.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    table: BTreeMap<ServerId, Server>,
    keys: BTreeMap<String, ServerId>,
    /// INVITEs outside dialogs, to find those that came by two ways (RFC 3261, 8.2.2.2).
    merged: BTreeMap<String, ServerId>,
    /// Those that came over a connection, for its end.
    flows: BTreeSet<(Flow, ServerId)>,
    last: u64,
}

impl Servers {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transaction of a request that was seen before.
    pub(crate) fn find(&self, key: &str) -> Option<ServerId> {
        self.keys.get(key).copied()
    }

    /// Whether the same INVITE is here by another way.
    pub(crate) fn has_merged(&self, key: &str) -> bool {
        self.merged.contains_key(key)
    }

    /// The transactions that answer on the connection of `flow`.
    pub(crate) fn on_flow(&self, flow: Flow) -> Vec<ServerId> {
        let all = (flow, ServerId(0))..=(flow, ServerId(u64::MAX));
        self.flows.range(all).map(|(_, id)| *id).collect()
    }

    /// The call that answers this transaction.
    pub(crate) fn call_of(&self, id: ServerId) -> Option<u64> {
        self.table.get(&id)?.call
    }
}

#[derive(Debug)]
struct Server {
    machine: Machine,
    flow: Flow,
    key: String,
    merge_key: Option<String>,
    response: Bytes,
    call: Option<u64>,
    scheduled: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum Machine {
    Invite(InviteServer),
    Other(NonInviteServer),
}

impl Machine {
    fn next_timer(&self) -> Option<Duration> {
        match self {
            Self::Invite(machine) => machine.next_timer().map(|(at, _)| at),
            Self::Other(machine) => machine.next_timer().map(|(at, _)| at),
        }
    }

    fn fire(&mut self, clock: &Clock) -> Step {
        match self {
            Self::Invite(machine) => match machine.next_timer() {
                Some((at, timer)) if at <= clock.now => Self::invite(machine, timer, clock),
                Some(_) | None => Step::NOTHING,
            },
            Self::Other(machine) => match machine.next_timer() {
                Some((at, timer)) if at <= clock.now => Self::other(machine, timer, clock),
                Some(_) | None => Step::NOTHING,
            },
        }
    }

    fn repeated(&mut self, clock: &Clock) -> Step {
        match self {
            Self::Invite(machine) => Self::invite(machine, invite_server::Input::Invite, clock),
            Self::Other(machine) => Self::other(machine, non_invite_server::Input::Request, clock),
        }
    }

    fn respond(&mut self, response: &Response, clock: &Clock) -> Step {
        let status = response.status;
        match self {
            Self::Invite(machine) => {
                let input = if status.is_provisional() {
                    invite_server::Input::SendProvisional
                } else if status.is_success() {
                    invite_server::Input::SendSuccess
                } else {
                    invite_server::Input::SendFailure
                };
                Self::invite(machine, input, clock)
            }
            Self::Other(machine) => {
                let input = if status.is_provisional() {
                    non_invite_server::Input::SendProvisional
                } else {
                    non_invite_server::Input::SendFinal
                };
                Self::other(machine, input, clock)
            }
        }
    }

    fn transport_error(&mut self, clock: &Clock) -> Step {
        match self {
            Self::Invite(machine) => Self::invite(machine, invite_server::Input::TransportError, clock),
            Self::Other(machine) => Self::other(machine, non_invite_server::Input::TransportError, clock),
        }
    }

    fn ack(&mut self, clock: &Clock) -> Step {
        match self {
            Self::Invite(machine) => Self::invite(machine, invite_server::Input::Ack, clock),
            Self::Other(_) => Step::NOTHING,
        }
    }

    fn invite(machine: &mut InviteServer, input: invite_server::Input, clock: &Clock) -> Step {
        let (next, step) = machine.handle(input, clock);
        *machine = next;
        step
    }

    fn other(machine: &mut NonInviteServer, input: non_invite_server::Input, clock: &Clock) -> Step {
        let (next, step) = machine.handle(input, clock);
        *machine = next;
        step
    }

    /// Whether nothing but the end is left to happen by itself.
    fn only_lingers(&self) -> bool {
        match self {
            Self::Invite(machine) => matches!(
                machine,
                InviteServer::Confirmed { .. } | InviteServer::Accepted { .. } | InviteServer::Terminated
            ),
            Self::Other(machine) => {
                matches!(machine, NonInviteServer::Completed { .. } | NonInviteServer::Terminated)
            }
        }
    }

    fn is_terminated(&self) -> bool {
        matches!(self, Self::Invite(InviteServer::Terminated) | Self::Other(NonInviteServer::Terminated))
    }
}

impl Core {
    /// Opens the transaction of a new request; `None` when the table is full.
    pub(crate) fn open_server(&mut self, inbound: &Inbound, call: Option<u64>) -> Option<ServerId> {
        if self.servers.len() >= self.config.limits.server_transactions {
            return None;
        }
        self.servers.last += 1;
        let id = ServerId(self.servers.last);
        let (machine, merge_key) = if inbound.request.method == Method::Invite {
            let merge_key = (!inbound.has_to_tag()).then(|| merge_key(inbound));
            (Machine::Invite(InviteServer::start()), merge_key)
        } else {
            (Machine::Other(NonInviteServer::start()), None)
        };
        if let Some(merge_key) = &merge_key {
            self.servers.merged.insert(merge_key.clone(), id);
        }
        self.servers.keys.insert(inbound.key.clone(), id);
        if inbound.reply.connection.is_some() {
            self.servers.flows.insert((inbound.reply, id));
        }
        let server = Server {
            machine,
            flow: inbound.reply,
            key: inbound.key.clone(),
            merge_key,
            response: Bytes::new(),
            call,
            scheduled: None,
        };
        self.servers.table.insert(id, server);
        Some(id)
    }

    /// Sends a response of the transaction user. Returns it for repeats of a 2xx.
    pub(crate) fn respond(&mut self, id: ServerId, mut response: Response) -> Bytes {
        let Some(server) = self.servers.table.get(&id) else { return Bytes::new() };
        let clock = self.clock(&server.flow);
        response.headers.set("Server", self.config.product.as_str());
        let bytes = response.to_bytes();
        if let Some(server) = self.servers.table.get_mut(&id) {
            let step = server.machine.respond(&response, &clock);
            if step.send.is_some() {
                server.response = bytes.clone();
            }
            self.perform_server(id, step);
        }
        bytes
    }

    /// Takes a repeat of the request.
    pub(crate) fn repeat_server(&mut self, id: ServerId) {
        self.step_server(id, Machine::repeated);
    }

    /// Takes an ACK with the key of a transaction. It acknowledges a failure, or, from peers without
    /// unique branches, a 2xx: then it has to go on to the dialog, and this says `true`.
    pub(crate) fn ack_server(&mut self, id: ServerId) -> bool {
        self.step_server(id, Machine::ack).deliver
    }

    /// Takes the end of its connection. Gives the call whose user has not given its final response.
    pub(crate) fn fail_server(&mut self, id: ServerId) -> Option<u64> {
        let call = self.servers.call_of(id);
        let step = self.step_server(id, Machine::transport_error);
        call.filter(|_| step.failure == Some(Failure::Transport))
    }

    /// Fires the due timers of a server transaction.
    pub(crate) fn fire_server(&mut self, id: ServerId) {
        if let Some(server) = self.servers.table.get_mut(&id) {
            server.scheduled = None;
        }
        self.step_server(id, Machine::fire);
    }

    fn step_server(&mut self, id: ServerId, input: impl FnOnce(&mut Machine, &Clock) -> Step) -> Step {
        let Some(server) = self.servers.table.get(&id) else { return Step::NOTHING };
        let clock = self.clock(&server.flow);
        let Some(server) = self.servers.table.get_mut(&id) else { return Step::NOTHING };
        let step = input(&mut server.machine, &clock);
        self.perform_server(id, step);
        step
    }

    fn perform_server(&mut self, id: ServerId, step: Step) {
        let now = self.now;
        let Some(server) = self.servers.table.get_mut(&id) else { return };
        let (flow, bytes) = (server.flow, server.response.clone());
        let next = server.machine.next_timer();
        // Timers that are zero on reliable transports end a transaction at once.
        let over = server.machine.only_lingers() && next.is_some_and(|at| at <= now);
        if server.machine.is_terminated() || over {
            self.drop_server(id);
        } else {
            self.timers.reschedule(TimerKey::Server(id), &mut server.scheduled, next);
        }
        if step.send == Some(Send::Response) && !bytes.is_empty() {
            self.transmit(flow, bytes);
        }
    }

    /// Takes back what waits to be sent of a server transaction, and forgets it.
    pub(crate) fn forget_server(&mut self, id: ServerId) {
        let Some(server) = self.servers.table.get(&id) else { return };
        let (flow, bytes) = (server.flow, server.response.clone());
        self.transmits.retain(|transmit| transmit.flow != flow || transmit.bytes != bytes);
        self.drop_server(id);
    }

    fn drop_server(&mut self, id: ServerId) {
        if let Some(mut server) = self.servers.table.remove(&id) {
            self.servers.keys.remove(&server.key);
            self.servers.flows.remove(&(server.flow, id));
            if let Some(merge_key) = &server.merge_key {
                self.servers.merged.remove(merge_key);
            }
            self.timers.reschedule(TimerKey::Server(id), &mut server.scheduled, None);
        }
    }
}

/// What finds the server transaction of a request again (RFC 3261, 17.2.3).
///
/// An ACK has the key of its INVITE; see [`cancelled_key`] for a CANCEL.
pub(crate) fn server_key(request: &Request, via: &Via, cseq: &CSeq) -> String {
    let method = if request.method == Method::Ack { &Method::Invite } else { &request.method };
    let port = via.port.unwrap_or(0);
    match via.rfc3261_branch() {
        Some(branch) => format!("{branch} {}:{port} {method}", via.host.to_string().to_ascii_lowercase()),
        // Peers of RFC 2543 have no unique branches. The To tag is left out, as the ACK has one and its
        // INVITE does not.
        None => {
            let from = request.headers.from().ok().and_then(|from| from.tag().map(str::to_owned));
            let (call_id, from) = (request.headers.call_id().unwrap_or_default(), from.unwrap_or_default());
            format!("2543 {call_id} {from} {} {} {}:{port} {method}", cseq.seq, request.uri, via.host)
        }
    }
}

/// The key of the INVITE that a CANCEL with this key wants to cancel (RFC 3261, 9.2).
pub(crate) fn cancelled_key(cancel: &str) -> String {
    format!("{}INVITE", cancel.strip_suffix("CANCEL").unwrap_or(cancel))
}

/// What is the same in two copies of one INVITE that came by different ways.
pub(crate) fn merge_key(inbound: &Inbound) -> String {
    format!("{} {} {}", inbound.call_id, inbound.from.tag().unwrap_or_default(), inbound.cseq.seq)
}
