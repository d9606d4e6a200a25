//! A trunk with its state.

use model::{Timestamp, Trunk};

use crate::bucket::TokenBucket;
use crate::call::Denied;
use crate::health::Health;

/// A trunk with what is going on over it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) trunk: Trunk,
    pub(crate) health: Health,
    /// Calls in both directions.
    pub(crate) calls: u32,
    outgoing: TokenBucket,
    incoming: TokenBucket,
    /// Who is next among trunks of the same priority: each gains its weight, and who is taken pays for all.
    pub(crate) credit: i64,
}

/// Why a line takes no call at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be.
    Calls,
    /// As many have begun as may within a second.
    Tokens,
}

impl Line {
    pub(crate) fn new(trunk: Trunk, calls: u32, now: Timestamp) -> Self {
        let (health, rate) = (new_health(&trunk, now), trunk.calls_per_second);
        let (outgoing, incoming) = (TokenBucket::full(rate, now), TokenBucket::full(rate, now));
        Self { trunk, health, calls, outgoing, incoming, credit: 0 }
    }

    /// Goes on as the directory has it by now. Where another peer is meant, nothing is known of that.
    pub(crate) fn replace(&mut self, trunk: &Trunk, now: Timestamp) {
        if self.trunk == *trunk {
            return;
        }
        let registration =
            |trunk: &Trunk| trunk.account.as_ref().map(|account| account.registration.is_some());
        let is_same = self.trunk.peer == trunk.peer
            && self.trunk.options_interval == trunk.options_interval
            && registration(&self.trunk) == registration(trunk);
        if !is_same {
            self.health = new_health(trunk, now);
        }
        self.outgoing.set_rate(trunk.calls_per_second, now);
        self.incoming.set_rate(trunk.calls_per_second, now);
        self.trunk = trunk.clone();
    }

    /// Takes a place and a token for a call that is made.
    pub(crate) fn take_outgoing(&mut self, now: Timestamp) -> Result<(), Full> {
        take(&self.trunk, &mut self.calls, (&mut self.outgoing, now))
    }

    /// Takes a place and a token for a call that comes in.
    pub(crate) fn take_incoming(&mut self, now: Timestamp) -> Result<(), Denied> {
        take(&self.trunk, &mut self.calls, (&mut self.incoming, now)).map_err(|full| match full {
            Full::Calls => Denied::TooMany,
            Full::Tokens => Denied::TooFast { retry_after: self.incoming.wait(now) },
        })
    }

    /// When a call may be made again, as far as tokens go.
    pub(crate) fn wait(&mut self, now: Timestamp) -> std::time::Duration {
        self.outgoing.wait(now)
    }

    /// Gives the place of a call back.
    pub(crate) const fn release(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }
}

fn new_health(trunk: &Trunk, now: Timestamp) -> Health {
    let must_register = trunk.account.as_ref().is_some_and(|account| account.registration.is_some());
    Health::new(trunk.options_interval, must_register, now)
}

fn take(trunk: &Trunk, calls: &mut u32, (bucket, now): (&mut TokenBucket, Timestamp)) -> Result<(), Full> {
    if *calls >= trunk.concurrent_calls.get() {
        return Err(Full::Calls);
    }
    if !bucket.take(now) {
        return Err(Full::Tokens);
    }
    *calls += 1;
    Ok(())
}
