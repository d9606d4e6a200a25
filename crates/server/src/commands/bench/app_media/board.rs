//! What phones and bots note while they talk.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What the main thread tells the load: whether applications send back what they hear, whether what is noted now counts,
/// and whether to go on.
#[derive(Default)]
pub(super) struct Orders {
    echo: AtomicBool,
    counts: AtomicBool,
    ends: AtomicBool,
}

impl Orders {
    pub(super) fn echo(&self) {
        self.echo.store(true, Ordering::Release);
    }

    pub(super) fn begin(&self) {
        self.counts.store(true, Ordering::Release);
    }

    pub(super) fn pause(&self) {
        self.counts.store(false, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.ends.store(true, Ordering::Release);
    }

    pub(super) fn count(&self) -> bool {
        self.counts.load(Ordering::Acquire)
    }

    pub(super) fn has_echo(&self) -> bool {
        self.echo.load(Ordering::Acquire)
    }

    pub(super) fn are_over(&self) -> bool {
        self.ends.load(Ordering::Acquire)
    }
}

/// What the load thread has found.
#[derive(Default)]
pub(super) struct Found {
    /// What phones have received.
    pub(super) phones: Received,
    /// What clients have received.
    pub(super) clients: Received,
    /// From the phone through the bot to the phone, one for each knock.
    pub(super) there_and_back: Vec<Duration>,
    /// From the phone to the bot, and from there to the phone.
    pub(super) there: Vec<Duration>,
    pub(super) back: Vec<Duration>,
    /// Knocks that were sent.
    pub(super) knocks: u64,
}

/// Packets or frames of all streams of a kind.
#[derive(Clone, Copy, Default)]
pub(super) struct Received {
    pub(super) all: u64,
    /// Missing in their numbers.
    pub(super) lost: u64,
    /// Without sound, though there was sound all the time.
    pub(super) silent: u64,
}

/// Shared by the tasks of the load's one thread.
pub(super) struct Board {
    knocks: RefCell<Vec<Knock>>,
    pub(super) found: RefCell<Found>,
}

/// The last knock of a stream.
#[derive(Clone, Copy, Default)]
struct Knock {
    sent: Option<Instant>,
    /// How long it took to the bot.
    there: Option<Duration>,
}

impl Board {
    pub(super) fn new(streams: usize) -> Self {
        Self { knocks: RefCell::new(vec![Knock::default(); streams]), found: RefCell::default() }
    }

    /// A phone knocks: the first sample of a packet that is sent now is loud.
    pub(super) fn knocked(&self, stream: usize) {
        if let Some(knock) = self.knocks.borrow_mut().get_mut(stream) {
            *knock = Knock { sent: Some(Instant::now()), there: None };
            self.found.borrow_mut().knocks += 1;
        }
    }

    /// The bot hears a loud sample so long after the first one of what has just come.
    pub(super) fn at_bot(&self, stream: usize, offset: Duration) {
        let mut knocks = self.knocks.borrow_mut();
        let Some(knock) = knocks.get_mut(stream).filter(|knock| knock.there.is_none()) else { return };
        if let Some(sent) = knock.sent {
            knock.there = Some(sent.elapsed() + offset);
        }
    }

    /// The phone hears it.
    pub(super) fn is_back(&self, stream: usize, offset: Duration) {
        let mut knocks = self.knocks.borrow_mut();
        let Some(knock) = knocks.get_mut(stream) else { return };
        if let (Some(sent), Some(there)) = (knock.sent.take(), knock.there) {
            let (mut found, both) = (self.found.borrow_mut(), sent.elapsed() + offset);
            found.there.push(there);
            found.back.push(both.saturating_sub(there));
            found.there_and_back.push(both);
        }
    }
}

/// Numbers of one stream's packets.
#[derive(Clone, Copy, Default)]
pub(super) struct Numbers(Option<u16>);

impl Numbers {
    /// Takes the next one and returns how many are missing before it; none where the numbers begin anew.
    pub(super) fn take(&mut self, number: u16) -> u64 {
        let missing = self.0.map_or(0, |last| number.wrapping_sub(last).wrapping_sub(1));
        self.0 = Some(number);
        if missing < u16::MAX / 2 { missing.into() } else { 0 }
    }
}
