//! Whether a trunk's peer is there.

use std::time::Duration;

use model::Timestamp;

/// When a trunk counts as down, and how long it is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// So many failures in a row make it down.
    pub failures_to_down: u32,
    /// How long it is left alone at first; twice as long after each failure that follows.
    pub first_pause: Duration,
    /// The longest that it is left alone, also by its own wish.
    pub longest_pause: Duration,
    /// How long the result of a probe is waited for before another one is sent: longer than any SIP transaction.
    pub probe_limit: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            failures_to_down: 2,
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(300),
            probe_limit: Duration::from_secs(60),
        }
    }
}

/// Whether a trunk makes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkHealth {
    /// Its peer does not answer, or said that it cannot.
    Down {
        /// Since when.
        since: Timestamp,
    },
    /// It is not registered, which it has to be.
    Unregistered,
    /// It makes calls.
    Up,
}

/// ```text
///            failures_to_down failures in a row, or one with Retry-After
///  Up ───────────────────────────────────────────────────────► Down ◄──┐ a failure after
///   ▲                                                           │  │   │ the pause: a longer one
///   └── an answer: to a probe or to the one call that tries it ─┘  └───┘
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    state: State,
    /// Whether it is registered; `None` where it need not be.
    is_registered: Option<bool>,
    probing: Option<Probing>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Down {
        since: Timestamp,
        /// How often it has failed after a pause.
        round: u32,
        retry_at: Timestamp,
        /// Whether a call tries it.
        is_tried: bool,
    },
    Up {
        failures: u32,
    },
}

/// OPTIONS to the peer.
#[derive(Clone, Copy, Debug)]
struct Probing {
    interval: Duration,
    /// When the next one is sent, whatever became of the last.
    next: Timestamp,
}

impl Health {
    /// A trunk of which nothing is known is up, and is probed at once.
    pub(crate) fn new(interval: Option<Duration>, must_register: bool, now: Timestamp) -> Self {
        Self {
            state: State::Up { failures: 0 },
            is_registered: must_register.then_some(false),
            probing: interval.map(|interval| Probing { interval, next: now }),
        }
    }

    pub(crate) fn shown(&self) -> TrunkHealth {
        match self.state {
            State::Down { since, .. } => TrunkHealth::Down { since },
            State::Up { .. } if self.is_registered == Some(false) => TrunkHealth::Unregistered,
            State::Up { .. } => TrunkHealth::Up,
        }
    }

    /// Whether a call may be made over it. Where nobody probes it, one call tries it after its pause.
    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        let is_there = match self.state {
            State::Down { retry_at, is_tried, .. } => self.probing.is_none() && !is_tried && now >= retry_at,
            State::Up { .. } => true,
        };
        is_there && self.is_registered != Some(false)
    }

    /// A call is made over it. Returns whether that is the one that tries it.
    pub(crate) const fn use_it(&mut self) -> bool {
        match &mut self.state {
            State::Down { is_tried, .. } => {
                *is_tried = true;
                true
            }
            State::Up { .. } => false,
        }
    }

    /// The call that tried it has shown nothing.
    pub(crate) const fn stop_trying(&mut self) {
        if let State::Down { is_tried, .. } = &mut self.state {
            *is_tried = false;
        }
    }

    /// The peer answered a call.
    pub(crate) const fn answered(&mut self) {
        self.state = State::Up { failures: 0 };
    }

    /// The peer answered a probe. That does not shorten a pause which it asked for in answer to a call.
    pub(crate) fn probe_answered(&mut self, now: Timestamp) {
        let is_pausing = matches!(self.state, State::Down { retry_at, .. } if now < retry_at);
        if !is_pausing {
            self.state = State::Up { failures: 0 };
        }
        self.plan_probe(now);
    }

    /// A call or a probe failed.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>, config: &HealthConfig, now: Timestamp) {
        let asked = retry_after.map(|pause| pause.min(config.longest_pause));
        self.state = match self.state {
            State::Down { since, round, retry_at, .. } if now >= retry_at => {
                let round = round.saturating_add(1);
                let pause = asked.unwrap_or_else(|| pause(round, config));
                State::Down { since, round, retry_at: now.after(pause), is_tried: false }
            }
            // Of calls that were under way when it went down.
            State::Down { .. } => self.state,
            State::Up { failures }
                if asked.is_some() || failures.saturating_add(1) >= config.failures_to_down =>
            {
                let pause = asked.unwrap_or_else(|| pause(0, config));
                State::Down { since: now, round: 0, retry_at: now.after(pause), is_tried: false }
            }
            State::Up { failures } => State::Up { failures: failures.saturating_add(1) },
        };
        // A trunk that calls have shown to be down is asked as soon as a call might try it, were there no probes.
        if let (State::Down { retry_at, .. }, Some(probing)) = (self.state, &mut self.probing) {
            probing.next = probing.next.min(retry_at.max(now));
        }
    }

    /// Whether probes tell of the peer.
    pub(crate) const fn is_probed(&self) -> bool {
        self.probing.is_some()
    }

    pub(crate) fn probe_failed(
        &mut self,
        retry_after: Option<Duration>,
        config: &HealthConfig,
        now: Timestamp,
    ) {
        self.failed(retry_after, config, now);
        self.plan_probe(now);
    }

    pub(crate) const fn set_registered(&mut self, is_registered: bool) {
        if self.is_registered.is_some() {
            self.is_registered = Some(is_registered);
        }
    }

    /// When the next probe is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.probing.map(|probing| probing.next)
    }

    /// Whether a probe is due; then the next one is due when nothing is heard of this one.
    pub(crate) fn take_probe(&mut self, config: &HealthConfig, now: Timestamp) -> bool {
        let Some(probing) = self.probing.as_mut().filter(|probing| now >= probing.next) else { return false };
        probing.next = now.after(config.probe_limit.max(probing.interval));
        true
    }

    /// A peer that is down is asked when its pause is over, one that failed once soon, others at their interval.
    fn plan_probe(&mut self, now: Timestamp) {
        /// After a failure that need not mean anything. Arbitrary.
        const SOON: Duration = Duration::from_secs(2);
        let Some(probing) = &mut self.probing else { return };
        probing.next = match self.state {
            State::Down { retry_at, .. } => retry_at.max(now),
            State::Up { failures: 0 } => now.after(probing.interval),
            State::Up { .. } => now.after(SOON.min(probing.interval)),
        };
    }
}

fn pause(round: u32, config: &HealthConfig) -> Duration {
    let factor = 2_u32.checked_pow(round).unwrap_or(u32::MAX);
    config.first_pause.saturating_mul(factor).min(config.longest_pause)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;

    use super::{Health, HealthConfig, TrunkHealth};

    const CONFIG: HealthConfig = HealthConfig {
        failures_to_down: 2,
        first_pause: Duration::from_secs(5),
        longest_pause: Duration::from_secs(30),
        probe_limit: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn without_probes_one_call_tries_a_trunk_after_each_pause_which_gets_longer() {
        let mut health = Health::new(None, false, at(0));
        health.failed(None, &CONFIG, at(0));
        assert!(health.is_usable(at(0)), "once is nothing");
        health.failed(None, &CONFIG, at(0));
        assert_eq!(health.shown(), TrunkHealth::Down { since: at(0) });
        let mut now = 0;
        for pause in [5, 10, 20, 30, 30] {
            assert!(!health.is_usable(at(now + pause - 1)) && health.is_usable(at(now + pause)), "{pause}");
            now += pause;
            assert!(health.use_it() && !health.is_usable(at(now)), "one call at a time");
            health.failed(None, &CONFIG, at(now));
        }
        assert_eq!(health.shown(), TrunkHealth::Down { since: at(0) });
        assert!(health.is_usable(at(now + 30)) && health.use_it());
        health.answered();
        assert!(health.is_usable(at(now)) && !health.use_it());
    }

    #[test]
    fn a_call_that_shows_nothing_leaves_the_trial_to_the_next() {
        let mut health = Health::new(None, false, at(0));
        (0..2).for_each(|_| health.failed(None, &CONFIG, at(0)));
        assert!(health.is_usable(at(5)) && health.use_it());
        health.stop_trying();
        assert!(health.is_usable(at(5)));
    }

    #[test]
    fn calls_that_were_under_way_when_it_went_down_do_not_make_the_pause_longer() {
        let mut health = Health::new(None, false, at(0));
        (0..9).for_each(|second| health.failed(None, &CONFIG, at(second / 3)));
        assert!(health.is_usable(at(5)));
    }

    #[test]
    fn a_failure_between_answers_does_not_count_with_the_next() {
        let mut health = Health::new(None, false, at(0));
        for _ in 0..5 {
            health.failed(None, &CONFIG, at(0));
            health.answered();
        }
        assert_eq!(health.shown(), TrunkHealth::Up);
    }

    #[test]
    fn probes_find_out_what_is_down_and_that_it_is_up_again() {
        let mut health = Health::new(Some(Duration::from_secs(20)), false, at(0));
        assert!(health.take_probe(&CONFIG, at(0)) && !health.take_probe(&CONFIG, at(1)));
        assert_eq!(health.deadline(), Some(at(60)), "where nothing is heard of it");
        health.probe_answered(at(1));
        assert_eq!(health.deadline(), Some(at(21)));
        health.probe_failed(None, &CONFIG, at(21));
        assert_eq!(health.deadline(), Some(at(23)), "soon again");
        health.probe_failed(None, &CONFIG, at(23));
        assert_eq!((health.shown(), health.deadline()), (TrunkHealth::Down { since: at(23) }, Some(at(28))));
        assert!(!health.is_usable(at(100)), "no call is risked while probes can tell");
        health.probe_answered(at(28));
        assert!(health.is_usable(at(28)));
    }

    #[test]
    fn a_trunk_that_calls_have_shown_to_be_down_is_asked_after_its_pause_and_not_at_its_interval() {
        let mut health = Health::new(Some(Duration::from_secs(300)), false, at(0));
        assert!(health.take_probe(&CONFIG, at(0)));
        health.probe_answered(at(1));
        (10..12).for_each(|second| health.failed(None, &CONFIG, at(second)));
        assert_eq!((health.shown(), health.deadline()), (TrunkHealth::Down { since: at(11) }, Some(at(16))));
        assert!(health.take_probe(&CONFIG, at(16)));
        health.probe_answered(at(16));
        assert!(health.is_usable(at(16)));
    }

    #[test]
    fn a_peer_that_wants_to_be_left_alone_is_even_where_it_answers_probes() {
        let mut health = Health::new(Some(Duration::from_secs(20)), false, at(0));
        health.failed(Some(Duration::from_secs(25)), &CONFIG, at(0));
        health.probe_answered(at(20));
        assert!(!health.is_usable(at(20)));
        assert_eq!(health.deadline(), Some(at(25)));
        health.probe_answered(at(25));
        assert!(health.is_usable(at(25)));
        health.failed(Some(Duration::from_secs(9999)), &CONFIG, at(30));
        health.probe_answered(at(60));
        assert!(health.is_usable(at(60)), "but not for longer than the longest pause");
    }

    #[test]
    fn a_trunk_that_has_to_register_makes_calls_once_it_has() {
        let mut health = Health::new(None, true, at(0));
        assert!(!health.is_usable(at(0)) && health.shown() == TrunkHealth::Unregistered);
        health.set_registered(true);
        assert!(health.is_usable(at(0)));
        health.set_registered(false);
        assert!(!health.is_usable(at(0)));
        let mut fixed = Health::new(None, false, at(0));
        fixed.set_registered(false);
        assert!(fixed.is_usable(at(0)));
    }
}
