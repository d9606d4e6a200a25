//! Messages that wait to be written to a socket.

use std::collections::VecDeque;
use std::time::Duration;

use crate::encode::Outgoing;

/// Audio that may wait: at 16 kHz two and a half seconds as JSON, four as octets.
const MAX_AUDIO_OCTETS: usize = 128 * 1024;
/// Control messages that may wait: two for each mark that may wait, and as many for all others.
pub(crate) const MAX_CONTROLS: usize = 1024;
/// Octets of control messages that may wait: some rosters of the largest meetings.
pub(crate) const MAX_CONTROL_OCTETS: usize = 1024 * 1024;

/// Two queues that are written in the order in which their messages came. Audio that nobody reads loses its oldest;
/// control messages are never lost, whoever does not read them loses the socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    audio: VecDeque<(u64, Outgoing)>,
    audio_octets: usize,
    controls: VecDeque<(u64, Outgoing)>,
    control_octets: usize,
    /// The number of the last message; before the first there is 0.
    last: u64,
    lost: u64,
    /// Since when something has waited and nothing was written.
    waiting_since: Option<Duration>,
}

impl Outbox {
    pub(crate) fn push_audio(&mut self, message: Outgoing, now: Duration) {
        self.audio_octets += message.octets();
        self.pushed(now);
        self.audio.push_back((self.last, message));
        while self.audio_octets > MAX_AUDIO_OCTETS {
            let Some((_, oldest)) = self.audio.pop_front() else { break };
            self.audio_octets -= oldest.octets();
            self.lost += 1;
        }
    }

    pub(crate) fn push_control(&mut self, message: Outgoing, now: Duration) {
        self.control_octets += message.octets();
        self.pushed(now);
        self.controls.push_back((self.last, message));
    }

    /// Puts a message before all others.
    pub(crate) fn push_first(&mut self, message: Outgoing, now: Duration) {
        self.control_octets += message.octets();
        self.controls.push_front((0, message));
        self.pushed(now);
    }

    fn pushed(&mut self, now: Duration) {
        self.last += 1;
        self.waiting_since.get_or_insert(now);
    }

    pub(crate) fn pop(&mut self, now: Duration) -> Option<Outgoing> {
        let is_control_next = match (self.controls.front(), self.audio.front()) {
            (Some((control, _)), Some((audio, _))) => control < audio,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let message = if is_control_next {
            let (_, message) = self.controls.pop_front()?;
            self.control_octets -= message.octets();
            message
        } else {
            let (_, message) = self.audio.pop_front()?;
            self.audio_octets -= message.octets();
            message
        };
        let is_empty = self.controls.is_empty() && self.audio.is_empty();
        self.waiting_since = (!is_empty).then_some(now);
        Some(message)
    }

    /// Forgets audio, which would be late, and the oldest control messages beyond `kept`: there is no socket.
    pub(crate) fn detach(&mut self, kept: usize) {
        self.audio.clear();
        self.audio_octets = 0;
        while self.controls.len() > kept {
            let Some((_, oldest)) = self.controls.pop_front() else { break };
            self.control_octets -= oldest.octets();
        }
        self.waiting_since = None;
    }

    /// Whether more control messages wait than may.
    pub(crate) fn is_overfull(&self) -> bool {
        self.controls.len() > MAX_CONTROLS || self.control_octets > MAX_CONTROL_OCTETS
    }

    pub(crate) const fn waiting_since(&self) -> Option<Duration> {
        self.waiting_since
    }

    /// Frames that were lost because they were not read.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Duration = Duration::ZERO;

    fn text(text: &str) -> Outgoing {
        Outgoing::Text(text.to_owned().into())
    }

    fn audio(size: usize) -> Outgoing {
        Outgoing::Binary(vec![0; size].into())
    }

    #[test]
    fn messages_are_written_in_the_order_in_which_they_came() {
        let mut outbox = Outbox::default();
        outbox.push_audio(audio(1), ZERO);
        outbox.push_control(text("a"), ZERO);
        outbox.push_audio(audio(2), ZERO);
        outbox.push_first(text("first"), ZERO);
        let all: Vec<_> = std::iter::from_fn(|| outbox.pop(ZERO)).collect();
        assert_eq!(all, [text("first"), audio(1), text("a"), audio(2)]);
    }

    #[test]
    fn audio_that_is_not_read_loses_its_oldest_and_controls_stay() {
        let mut outbox = Outbox::default();
        outbox.push_control(text("mark"), ZERO);
        for size in 1..=1000 {
            outbox.push_audio(audio(size), ZERO);
        }
        assert!(outbox.audio_octets <= MAX_AUDIO_OCTETS);
        assert_eq!(outbox.pop(ZERO), Some(text("mark")));
        let rest: Vec<_> = std::iter::from_fn(|| outbox.pop(ZERO)).collect();
        assert_eq!((rest.last(), rest.len() as u64 + outbox.lost()), (Some(&audio(1000)), 1000));
        assert_eq!((outbox.audio_octets, outbox.control_octets), (0, 0));
    }

    #[test]
    fn waiting_is_counted_from_the_last_message_that_was_written() {
        let mut outbox = Outbox::default();
        let at = Duration::from_secs;
        outbox.push_audio(audio(1), at(1));
        outbox.push_audio(audio(1), at(2));
        assert_eq!(outbox.waiting_since(), Some(at(1)));
        outbox.pop(at(3));
        assert_eq!(outbox.waiting_since(), Some(at(3)));
        outbox.pop(at(4));
        assert_eq!(outbox.waiting_since(), None);
    }

    #[test]
    fn without_a_socket_audio_is_forgotten_and_the_latest_controls_are_kept() {
        let mut outbox = Outbox::default();
        outbox.push_audio(audio(1), ZERO);
        for name in ["a", "b", "c"] {
            outbox.push_control(text(name), ZERO);
        }
        outbox.detach(2);
        outbox.push_first(text("hello"), ZERO);
        let all: Vec<_> = std::iter::from_fn(|| outbox.pop(ZERO)).collect();
        assert_eq!(all, [text("hello"), text("b"), text("c")]);
    }
}
