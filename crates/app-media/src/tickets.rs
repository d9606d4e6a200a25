//! One-time tokens with which applications dial in.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{AppId, CallId};
use subtle::ConstantTimeEq;

/// Random octets of a token; nobody guesses 256 bits.
pub const TICKET_OCTETS: usize = 32;

/// Tokens of one call that may be good at once: one in use by a socket that died, one on its way, and some for tries.
/// A further one replaces that which is good for the shortest time.
const MAX_PER_CALL: usize = 4;

/// A token that lets one socket in, once. It is shown nowhere but where it is asked for.
pub struct Ticket([u8; TICKET_OCTETS]);

impl Ticket {
    /// A token of random octets.
    pub const fn new(random: [u8; TICKET_OCTETS]) -> Self {
        Self(random)
    }

    /// Whether that is this token, found out in constant time.
    pub fn is(&self, token: &str) -> bool {
        let octets = URL_SAFE_NO_PAD.decode(token.as_bytes());
        octets.is_ok_and(|octets| self.0.ct_eq(&octets).into())
    }

    /// The token as it stands in an address: 43 characters that need no escaping.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// There are as many calls with tokens as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls wait for their applications to dial in")]
pub struct TicketsFull;

/// The tokens that are good: each for one call of one application, once, for a time.
///
/// Tokens are found by their call, which is no secret, and then compared in constant time.
#[derive(Debug)]
pub struct Tickets {
    max_calls: usize,
    calls: BTreeMap<CallId, Entry>,
}

#[derive(Debug)]
struct Entry {
    app: AppId,
    good: VecDeque<(Ticket, Duration)>,
}

impl Tickets {
    /// No tokens yet, and never for more than `max_calls`.
    pub const fn new(max_calls: usize) -> Self {
        Self { max_calls, calls: BTreeMap::new() }
    }

    /// Makes a token of random octets, good until `until`.
    ///
    /// # Errors
    ///
    /// [`TicketsFull`] where there are too many, none of which have expired.
    pub fn issue(
        &mut self,
        (app, call): (&AppId, CallId),
        random: [u8; TICKET_OCTETS],
        until: Duration,
        now: Duration,
    ) -> Result<Ticket, TicketsFull> {
        if self.calls.len() >= self.max_calls && !self.calls.contains_key(&call) {
            self.expire(now);
            if self.calls.len() >= self.max_calls {
                return Err(TicketsFull);
            }
        }
        let entry =
            self.calls.entry(call).or_insert_with(|| Entry { app: app.clone(), good: VecDeque::new() });
        if entry.app != *app {
            *entry = Entry { app: app.clone(), good: VecDeque::new() };
        }
        while entry.good.len() >= MAX_PER_CALL {
            // The one that would be good for the shortest time: addresses to come back at outlive invitations.
            let soonest = entry.good.iter().enumerate().min_by_key(|(_, (_, until))| *until);
            let Some(place) = soonest.map(|(place, _)| place) else { break };
            entry.good.remove(place);
        }
        entry.good.push_back((Ticket(random), until));
        Ok(Ticket(random))
    }

    /// Takes a token that came with a socket for `call`, and says whose application it is; after that, it is not good
    /// any more.
    pub fn redeem(&mut self, call: CallId, token: &str, now: Duration) -> Option<AppId> {
        let entry = self.calls.get_mut(&call)?;
        let at = entry.good.iter().position(|(ticket, _)| ticket.is(token))?;
        let (_, until) = entry.good.remove(at)?;
        let app = entry.app.clone();
        if entry.good.is_empty() {
            self.calls.remove(&call);
        }
        (now < until).then_some(app)
    }

    /// Whether [`Self::redeem`] would take it.
    pub fn knows(&self, call: CallId, token: &str, now: Duration) -> bool {
        let good = self.calls.get(&call).into_iter().flat_map(|entry| &entry.good);
        good.filter(|(_, until)| now < *until).any(|(ticket, _)| ticket.is(token))
    }

    /// Forgets the tokens of a call that is over.
    pub fn revoke(&mut self, call: CallId) {
        self.calls.remove(&call);
    }

    /// Forgets what is not good any more; [`Self::issue`] does it where there is no room.
    pub fn expire(&mut self, now: Duration) {
        self.calls.retain(|_, entry| {
            entry.good.retain(|(_, until)| now < *until);
            !entry.good.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const ZERO: Duration = Duration::ZERO;

    fn call(n: u128) -> CallId {
        Uuid::from_u128(n).into()
    }

    fn issue(tickets: &mut Tickets, n: u128, random: u8) -> Result<String, TicketsFull> {
        let ticket = tickets.issue((&"bot".into(), call(n)), [random; TICKET_OCTETS], MINUTE, ZERO);
        ticket.map(|ticket| ticket.text())
    }

    #[test]
    fn a_ticket_lets_in_once_for_its_call_and_says_whose_it_is() {
        let mut tickets = Tickets::new(10);
        let text = issue(&mut tickets, 1, 9).unwrap();
        assert_eq!(text, "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk");
        issue(&mut tickets, 2, 8).unwrap();
        for wrong in ["", "CQkJ", "%", &text[1..], &format!("{text}A")] {
            assert_eq!(tickets.redeem(call(1), wrong, ZERO), None, "{wrong}");
        }
        assert_eq!(tickets.redeem(call(2), &text, ZERO), None);
        assert!(tickets.knows(call(1), &text, ZERO) && !tickets.knows(call(2), &text, ZERO));
        assert!(!tickets.knows(call(1), &text, MINUTE));
        assert_eq!(tickets.redeem(call(1), &text, ZERO), Some("bot".into()));
        assert_eq!(tickets.redeem(call(1), &text, ZERO), None);
    }

    #[test]
    fn a_ticket_expires_and_goes_with_its_call() {
        let mut tickets = Tickets::new(10);
        let text = issue(&mut tickets, 1, 1).unwrap();
        assert_eq!(tickets.redeem(call(1), &text, MINUTE), None);
        let text = issue(&mut tickets, 1, 1).unwrap();
        tickets.revoke(call(1));
        assert_eq!(tickets.redeem(call(1), &text, ZERO), None);
    }

    #[test]
    fn tickets_are_bounded_for_each_call_and_in_all() {
        let mut tickets = Tickets::new(2);
        let for_long = tickets.issue((&"bot".into(), call(1)), [9; TICKET_OCTETS], MINUTE * 9, ZERO).unwrap();
        let texts: Vec<_> = (0..4).map(|random| issue(&mut tickets, 1, random).unwrap()).collect();
        assert!(tickets.knows(call(1), &for_long.text(), ZERO), "it is good for longer than the others");
        assert_eq!(tickets.redeem(call(1), &texts[0], ZERO), None);
        assert_eq!(tickets.redeem(call(1), &texts[1], ZERO), Some("bot".into()));
        issue(&mut tickets, 2, 0).unwrap();
        assert_eq!(issue(&mut tickets, 3, 0), Err(TicketsFull));
        let late = tickets.issue((&"bot".into(), call(3)), [0; TICKET_OCTETS], MINUTE * 2, MINUTE);
        assert!(late.is_ok(), "expired ones make room");
    }

    #[test]
    fn a_ticket_is_never_shown_by_debug() {
        let mut tickets = Tickets::new(10);
        let ticket = tickets.issue((&"bot".into(), call(1)), [77; TICKET_OCTETS], MINUTE, ZERO).unwrap();
        let shown = format!("{ticket:?} {tickets:?}");
        assert!(!shown.contains("77") && !shown.contains(&ticket.text()), "{shown}");
    }
}
