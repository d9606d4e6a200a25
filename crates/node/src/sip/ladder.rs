use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sip_proto::{Flow, Transport};
use trace::{Dialog, Direction, Message, Recorder, Sighting};

use crate::clock::Clock;

/// Messages of calls that nobody knows yet: before a phone has shown who it is, its INVITE is nobody's.
const MAX_UNKNOWN: usize = 64;

/// How long messages of a call come after its end: a retransmission of its last request, and the answer (RFC 3261, 17.1.2.2,
/// 64*T1, and some).
const LINGER: Duration = Duration::from_secs(40);

/// Calls that are over whose messages still come.
const MAX_LINGERING: usize = 10_000;

/// Hands the SIP messages that pass by to the traces of their calls, which the endpoint names by a `C`.
pub(super) struct Ladder<C> {
    is_on: bool,
    clock: Clock,
    /// By Call-ID.
    dialogs: BTreeMap<String, Dialog>,
    calls: BTreeMap<C, String>,
    /// Until when each is looked for.
    lingering: VecDeque<(Duration, String)>,
    unknown: VecDeque<Message>,
}

impl<C: Ord> Ladder<C> {
    pub(super) fn new(recorder: &Recorder, clock: Clock) -> Self {
        Self {
            is_on: recorder.is_on(),
            clock,
            dialogs: BTreeMap::new(),
            calls: BTreeMap::new(),
            lingering: VecDeque::new(),
            unknown: VecDeque::new(),
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// A message passes by.
    pub(super) fn pass(&mut self, direction: Direction, flow: &Flow, octets: &[u8]) {
        let sighting = if self.is_on { Sighting::of(octets) } else { None };
        let Some(sighting) = sighting else { return };
        let dialog = self.dialogs.get(sighting.call_id());
        let is_of_interest = match dialog {
            Some(dialog) => dialog.is_of_interest(),
            None => ["INVITE", "ACK"].contains(&sighting.method()),
        };
        if !is_of_interest {
            return;
        }
        let transport = match flow.transport {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Udp => "udp",
        };
        let message = sighting.keep(self.clock.now(), direction, &format!("{transport}:{}", flow.remote));
        match dialog {
            Some(dialog) => dialog.push(message),
            None => {
                if self.unknown.len() >= MAX_UNKNOWN {
                    self.unknown.pop_front();
                }
                self.unknown.push_back(message);
            }
        }
    }

    /// The messages of a call belong there from here on, and those that have come.
    pub(super) fn follow(&mut self, call: C, call_id: &str, dialog: &Dialog) {
        if !self.is_on {
            return;
        }
        let known = std::mem::take(&mut self.unknown).into_iter();
        let (of_call, others): (Vec<_>, Vec<_>) = known.partition(|message| &*message.call_id == call_id);
        self.unknown = others.into();
        of_call.into_iter().for_each(|message| dialog.push(message));
        self.dialogs.insert(call_id.to_owned(), dialog.clone());
        self.calls.insert(call, call_id.to_owned());
    }

    /// A call is over; its last messages are still to come.
    pub(super) fn ended(&mut self, call: C) {
        let now = self.clock.elapsed();
        if let Some(call_id) = self.calls.remove(&call) {
            self.lingering.push_back((now + LINGER, call_id));
        }
        while let Some((until, call_id)) = self.lingering.front() {
            if *until > now && self.lingering.len() <= MAX_LINGERING {
                return;
            }
            self.dialogs.remove(call_id);
            self.lingering.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use trace::Limits;

    use super::*;
    use crate::ids::RandomIds;

    fn flow() -> Flow {
        let address = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Flow { transport: Transport::Udp, local: address(5060), remote: address(40_000), connection: None }
    }

    fn message(call_id: &str, method: &str) -> Vec<u8> {
        format!("{method} sip:a SIP/2.0\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n").into_bytes()
    }

    fn recorder() -> Recorder {
        Recorder::new(Limits { ended_calls: 10, entries: 100, messages: 100, octets: 1_000_000 })
    }

    #[test]
    fn a_call_that_comes_in_has_the_messages_from_before_it_was_known() {
        let recorder = recorder();
        let mut ladder = Ladder::<u8>::new(&recorder, Clock::start());
        let trace = recorder.begin(model::CallId::next(&mut RandomIds));
        for (call_id, method) in [("a", "INVITE"), ("b", "INVITE"), ("a", "ACK"), ("a", "REGISTER")] {
            ladder.pass(Direction::Received, &flow(), &message(call_id, method));
        }
        let dialog = recorder.dialog();
        ladder.follow(1, "a", &dialog);
        ladder.pass(Direction::Sent, &flow(), &message("a", "BYE"));
        dialog.give_to(&trace);
        ladder.ended(1);
        ladder.pass(Direction::Received, &flow(), &message("a", "BYE"));

        let messages = trace.show().messages;
        let methods: Vec<_> = messages.iter().map(|message| message.method()).collect();
        assert_eq!(methods, ["INVITE", "ACK", "BYE", "BYE"]);
        assert_eq!(&*messages[0].peer, "udp:127.0.0.1:40000");
    }

    #[test]
    fn what_nobody_claims_is_bounded() {
        let recorder = recorder();
        let mut ladder = Ladder::<u8>::new(&recorder, Clock::start());
        for number in 0..1_000 {
            ladder.pass(Direction::Received, &flow(), &message(&number.to_string(), "INVITE"));
        }
        assert_eq!(ladder.unknown.len(), MAX_UNKNOWN);
        let mut off = Ladder::<u8>::new(&Recorder::off(), Clock::start());
        off.pass(Direction::Received, &flow(), &message("a", "INVITE"));
        assert!(off.unknown.is_empty());
    }
}
