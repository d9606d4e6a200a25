//! Two endpoints in memory that call each other.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip_proto::{
    Config, Endpoint, Event, Flow, IncomingPolicy, Limits, NewCall, Target, Transmit, Transport, UserTable,
};

/// A caller, a callee, and what the one wants of the other.
pub(crate) struct Pair {
    ends: [Endpoint; 2],
    new: NewCall,
    answer: Bytes,
}

impl Pair {
    pub(crate) fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let limits =
            Limits { client_transactions: 1_000_000, server_transactions: 1_000_000, ..Limits::default() };
        let config = Config { limits, incoming: IncomingPolicy::Offer, ..Config::default() };
        let sdp = Bytes::from("v=0\r\n".repeat(60));
        let new = NewCall {
            targets: vec![Target { uri: "sip:john@127.0.0.1:5061".parse()?, flow: flow(0) }],
            from: "\"Bot\" <sip:bot@contoso.example>".parse()?,
            to: "<sip:john@contoso.example>".parse()?,
            offer: sdp.clone(),
            session_timer: None,
            credentials: None,
            headers: Vec::new(),
        };
        let end = |seed| Endpoint::new(config.clone(), [seed; 32], Box::new(UserTable::new()));
        Ok(Self { ends: [1, 2].map(end), new, answer: sdp })
    }

    /// INVITE, 180, 200, ACK, BYE, 200, all at once.
    pub(crate) fn call(&mut self, now: Duration) -> Result<(), Box<dyn std::error::Error>> {
        let handle = self.ends[0].call(self.new.clone(), now)?;
        self.pump(now);
        while let Some(event) = self.ends[1].poll_event() {
            if let Event::Incoming(incoming) = event {
                self.ends[1].ring(incoming.handle, now)?;
                self.ends[1].answer(incoming.handle, self.answer.clone(), now)?;
            }
        }
        self.pump(now);
        self.ends[0].hang_up(handle, None, now)?;
        self.pump(now);
        for end in &mut self.ends {
            end.handle_timeout(now);
            while end.poll_event().is_some() {}
        }
        Ok(())
    }

    /// Carries messages over until none is left.
    fn pump(&mut self, now: Duration) {
        let mut wire: VecDeque<(usize, Transmit)> = VecDeque::new();
        loop {
            for (at, end) in self.ends.iter_mut().enumerate() {
                wire.extend(std::iter::from_fn(|| end.poll_transmit()).map(|transmit| (1 - at, transmit)));
            }
            let Some((to, transmit)) = wire.pop_front() else { return };
            self.ends[to].handle_receive(flow(to), &transmit.bytes, now);
        }
    }
}

fn flow(from: usize) -> Flow {
    let addresses: [SocketAddr; 2] = [([127, 0, 0, 1], 5060).into(), ([127, 0, 0, 1], 5061).into()];
    Flow { transport: Transport::Udp, local: addresses[from], remote: addresses[1 - from], connection: None }
}
