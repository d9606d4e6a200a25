//! What calls, registrations and transactions share: time, chance, deadlines and the way out.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use sip_message::{Request, Response, StatusCode};

use crate::call::farewell::Farewells;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::event::{Event, Transmit};
use crate::flow::Flow;
use crate::inbound::Inbound;
use crate::timers::TimerQueue;
use crate::transaction::{ClientId, Clients, Clock, ServerId, Servers};

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    Call(u64),
    Client(ClientId),
    Server(ServerId),
}

/// Hints at how long the far end waits after a 503.
const BUSY_SECONDS: u32 = 5;

pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) entropy: Entropy,
    /// The time of the input that is being handled.
    pub(crate) now: Duration,
    pub(crate) timers: TimerQueue<TimerKey>,
    pub(crate) clients: Clients,
    pub(crate) servers: Servers,
    pub(crate) farewells: Farewells,
    /// Bounded by what one input can cause: the caller drains both queues after every input.
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
}

impl Core {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let (session, incoming) = (config.session.bounded(), config.incoming.bounded());
        let config = Config { session, incoming, ..config };
        Self {
            config,
            entropy: Entropy::new(seed),
            now: Duration::ZERO,
            timers: TimerQueue::new(),
            clients: Clients::default(),
            servers: Servers::default(),
            farewells: Farewells::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(crate) fn clock(&self, flow: &Flow) -> Clock {
        Clock { now: self.now, timers: self.config.timers, reliable: flow.is_reliable() }
    }

    /// A moment that lies `wait` ahead.
    pub(crate) fn after(&self, wait: Duration) -> Duration {
        self.now.saturating_add(wait)
    }

    pub(crate) fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.transmits.push_back(Transmit { flow, bytes });
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Whether no call of this side may start any more. What far ends open does not count.
    pub(crate) fn is_full(&self) -> bool {
        self.clients.len() >= self.config.limits.client_transactions
    }

    /// Answers without a transaction (RFC 3261, 8.2.7): a repeated request gets the same answer again.
    pub(crate) fn reply(&mut self, inbound: &Inbound, mut response: Response) {
        if response.headers.to().is_ok_and(|to| to.tag().is_none()) {
            let tag = format!("{:016x}", self.entropy.keyed(&inbound.key));
            // The tag can only fail on a To that the inbound request was already refused for.
            let _ = response.headers.set_to_tag(&tag);
        }
        response.headers.set("Server", self.config.product.as_str());
        self.transmit(inbound.reply, response.to_bytes());
    }

    /// Like [`Self::reply`], with a status alone.
    pub(crate) fn refuse(&mut self, inbound: &Inbound, status: StatusCode) {
        let response = inbound.request.response(status);
        self.reply(inbound, response);
    }

    /// 503 for a request that finds a table full.
    pub(crate) fn refuse_busy(&mut self, inbound: &Inbound) {
        let mut response = inbound.request.response(StatusCode::SERVICE_UNAVAILABLE);
        response.headers.push("Retry-After", BUSY_SECONDS);
        self.reply(inbound, response);
    }

    /// The headers of every request that this endpoint makes.
    pub(crate) fn finish_request(&self, request: &mut Request) {
        request.headers.set("Max-Forwards", 70);
        request.headers.set("User-Agent", self.config.product.as_str());
    }
}
