use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use node::Clock;

/// Notifications of a call that is answered and hung up: establishing, established, deleted.
pub(super) const NOTIFICATIONS: u32 = 3;

/// The same of a call that comes in, which is told first.
pub(super) const NOTIFICATIONS_IN: u32 = 4;

/// What has become of each call, by its number.
pub(super) struct Board {
    clock: Clock,
    calls: Mutex<Vec<Track>>,
}

/// What is known of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// When its request, or its INVITE, was sent.
    pub(super) posted: Duration,
    /// When the request was answered with 201; of a call that comes in, when the bot was told.
    pub(super) created: Option<Duration>,
    /// When its INVITE reached the phone; of a call that comes in, when the phone was answered.
    pub(super) invited: Option<Duration>,
    /// When `established` reached the webhook.
    pub(super) established: Option<Duration>,
    /// When `deleted` reached the webhook.
    pub(super) deleted: Option<Duration>,
    /// Notifications that came.
    pub(super) notifications: u32,
    /// Whether one came before one that it follows.
    pub(super) is_out_of_order: bool,
    /// Whether the request failed.
    pub(super) is_refused: bool,
    /// INVITEs, or answers to them, that came again.
    pub(super) repeated: u32,
    /// How the phone hangs up; taken when it does.
    bye: Option<Bytes>,
    /// Whether the phone waits to be told to hang up.
    is_held: bool,
    is_incoming: bool,
}

impl Track {
    /// Whether everything that should happen did, once and in order.
    pub(super) fn is_whole(&self) -> bool {
        let has_all = self.created.is_some() && self.invited.is_some() && self.deleted.is_some();
        let expected = if self.is_incoming { NOTIFICATIONS_IN } else { NOTIFICATIONS };
        has_all && !self.is_refused && !self.is_out_of_order && self.notifications == expected
    }

    fn is_settled(&self) -> bool {
        self.is_refused || self.deleted.is_some()
    }
}

impl Board {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, calls: Mutex::default() }
    }

    /// Takes a number for a call whose request is sent now.
    pub(super) fn begin(&self, is_held: bool) -> usize {
        let mut calls = self.lock();
        calls.push(Track { posted: self.clock.elapsed(), is_held, ..Track::default() });
        calls.len() - 1
    }

    /// The number that the next call gets.
    pub(super) fn next(&self) -> usize {
        self.lock().len()
    }

    /// Notes the answer to a call's request.
    pub(super) fn answered(&self, number: usize, is_created: bool) {
        let now = self.clock.elapsed();
        self.with(number, |track| {
            track.created = is_created.then_some(now);
            track.is_refused = !is_created;
        });
    }

    /// Notes that the bot was told of a call that comes in.
    pub(super) fn told(&self, number: usize) {
        let now = self.clock.elapsed();
        self.with(number, |track| {
            track.notifications += 1;
            track.is_incoming = true;
            track.is_out_of_order |= track.created.replace(now).is_some();
        });
    }

    /// Notes an INVITE that came, or was answered, and how to hang its call up.
    pub(super) fn invited(&self, number: usize, bye: Bytes) {
        let now = self.clock.elapsed();
        self.with(number, |track| match track.invited {
            None => (track.invited, track.bye) = (Some(now), Some(bye)),
            Some(_) => track.repeated += 1,
        });
    }

    /// Notes a notification; returns what the phone sends upon it.
    pub(super) fn notified(&self, number: usize, body: &str) -> Option<Bytes> {
        let now = self.clock.elapsed();
        let is_established = body.contains(r#""state":"established""#);
        let is_deleted = body.contains(r#""changeType":"deleted""#);
        self.with(number, |track| {
            track.notifications += 1;
            track.is_out_of_order |= track.deleted.is_some() || (is_deleted && track.established.is_none());
            if is_deleted {
                track.deleted = Some(now);
            } else if is_established {
                track.established = Some(now);
                return track.bye.take_if(|_| !track.is_held);
            }
            None
        })
        .flatten()
    }

    /// What the phone sends to hang up all of these calls that are held.
    pub(super) fn release(&self, numbers: Range<usize>) -> Vec<Bytes> {
        let mut calls = self.lock();
        calls.get_mut(numbers).unwrap_or_default().iter_mut().filter_map(|track| track.bye.take()).collect()
    }

    /// How many of these calls are established or over, and how many are over.
    pub(super) fn progress(&self, numbers: Range<usize>) -> (usize, usize) {
        let calls = self.lock();
        let these = calls.get(numbers).unwrap_or_default();
        let over = these.iter().filter(|track| track.is_settled()).count();
        let reached = these.iter().filter(|track| track.is_settled() || track.established.is_some()).count();
        (reached, over)
    }

    /// Everything that is known of these calls.
    pub(super) fn tracks(&self, numbers: Range<usize>) -> Vec<Track> {
        self.lock().get(numbers).unwrap_or_default().to_vec()
    }

    fn with<T>(&self, number: usize, change: impl FnOnce(&mut Track) -> T) -> Option<T> {
        self.lock().get_mut(number).map(change)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Track>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use node::Clock;

    use super::Board;

    const ESTABLISHING: &str = r#"{"changeType":"updated","state":"establishing"}"#;
    const ESTABLISHED: &str = r#"{"changeType":"updated","state":"established"}"#;
    const DELETED: &str = r#"{"changeType":"deleted","state":"terminated"}"#;

    fn invited(is_held: bool) -> Board {
        let board = Board::new(Clock::start());
        let number = board.begin(is_held);
        board.answered(number, true);
        board.invited(number, Bytes::from_static(b"BYE"));
        board
    }

    #[test]
    fn a_call_is_hung_up_once_it_is_known_to_be_established() {
        let board = invited(false);
        assert_eq!(board.notified(0, ESTABLISHING), None);
        assert_eq!(board.notified(0, ESTABLISHED).as_deref(), Some(&b"BYE"[..]));
        assert_eq!(board.progress(0..1), (1, 0));
        assert_eq!(board.notified(0, DELETED), None);
        assert_eq!(board.progress(0..1), (1, 1));
        assert!(board.tracks(0..1)[0].is_whole());
    }

    #[test]
    fn a_call_that_comes_in_is_told_first_and_its_answer_says_how_to_hang_it_up() {
        let board = Board::new(Clock::start());
        let number = board.begin(false);
        board.told(number);
        board.invited(number, Bytes::from_static(b"BYE"));
        assert_eq!(board.notified(0, ESTABLISHING), None);
        assert_eq!(board.notified(0, ESTABLISHED).as_deref(), Some(&b"BYE"[..]));
        assert_eq!(board.notified(0, DELETED), None);
        assert!(board.tracks(0..1)[0].is_whole());
        board.told(number);
        assert!(!board.tracks(0..1)[0].is_whole());
    }

    #[test]
    fn a_held_call_is_hung_up_when_it_is_released() {
        let board = invited(true);
        assert_eq!(board.notified(0, ESTABLISHED), None);
        assert_eq!(board.release(0..1).len(), 1);
        assert_eq!(board.release(0..1).len(), 0);
    }

    #[test]
    fn what_came_twice_too_seldom_or_in_another_order_is_not_whole() {
        let orders: [&[&str]; 3] = [
            &[ESTABLISHING, DELETED, ESTABLISHED],
            &[ESTABLISHED, DELETED],
            &[ESTABLISHING, ESTABLISHING, ESTABLISHED, DELETED],
        ];
        for order in orders {
            let board = invited(false);
            order.iter().for_each(|body| drop(board.notified(0, body)));
            assert!(!board.tracks(0..1)[0].is_whole(), "{order:?}");
        }
    }
}
