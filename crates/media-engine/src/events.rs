//! Keys as telephone events (RFC 4733), received.

use std::collections::VecDeque;

use crate::{Tone, ToneEvent};

/// Keys that can wait to be polled; nobody presses more in a tick.
const MAX_WAITING: usize = 16;
/// Begins of keys that are remembered, so that a packet out of order does not repeat one.
const REMEMBERED: usize = 4;
/// How much later than a key's claimed end its next packet's timestamp may be and still mean the same key, for
/// senders that move the timestamp: one packet interval at 8 kHz.
const TOLERANCE_TICKS: u32 = 160;

/// The key of the newest packet.
#[derive(Clone, Copy, Debug)]
struct Current {
    event: u8,
    timestamp: u32,
    duration: u32,
    is_ended: bool,
}

/// Turns packets into keys, each once.
#[derive(Debug)]
pub(crate) struct EventReceiver {
    current: Option<Current>,
    begun: [Option<u32>; REMEMBERED],
    waiting: VecDeque<ToneEvent>,
}

impl EventReceiver {
    pub(crate) fn new() -> Self {
        Self { current: None, begun: [None; REMEMBERED], waiting: VecDeque::with_capacity(MAX_WAITING) }
    }

    /// Forgets timestamps, for another source; keys that wait stay.
    pub(crate) fn reset(&mut self) {
        (self.current, self.begun) = (None, [None; REMEMBERED]);
    }

    /// Takes an event packet; false when it is none.
    pub(crate) fn handle(&mut self, timestamp: u32, is_marked: bool, payload: &[u8]) -> bool {
        let Some([event, flags, high, low]) = payload.first_chunk().copied() else { return false };
        let is_end = flags & 0x80 != 0;
        let duration = u32::from(u16::from_be_bytes([high, low]));
        match &mut self.current {
            Some(current) if current.timestamp == timestamp => {
                current.duration = current.duration.max(duration);
                current.is_ended |= is_end;
            }
            Some(_) if self.begun.contains(&Some(timestamp)) => {}
            Some(current) if !is_marked && current.goes_on(event, timestamp) => {
                *current = Current { event, timestamp, duration, is_ended: is_end };
                self.remember(timestamp);
            }
            _ => {
                self.current = Some(Current { event, timestamp, duration, is_ended: is_end });
                self.remember(timestamp);
                if let Some(tone) = Tone::from_event(event)
                    && self.waiting.len() < MAX_WAITING
                {
                    self.waiting.push_back(ToneEvent { tone, timestamp });
                }
            }
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn poll(&mut self) -> Option<ToneEvent> {
        self.waiting.pop_front()
    }

    fn remember(&mut self, timestamp: u32) {
        self.begun.rotate_right(1);
        if let Some(slot) = self.begun.first_mut() {
            *slot = Some(timestamp);
        }
    }
}

impl Current {
    /// True for the next segment of a long key (RFC 4733, 2.5.1.3), or the next packet of a sender that moves the
    /// timestamp with every packet.
    fn goes_on(&self, event: u8, timestamp: u32) -> bool {
        let later = timestamp.wrapping_sub(self.timestamp);
        event == self.event && !self.is_ended && later <= self.duration + TOLERANCE_TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(event: u8, is_end: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, if is_end { 0x8A } else { 0x0A }, high, low]
    }

    fn keys(receiver: &mut EventReceiver) -> Vec<Tone> {
        std::iter::from_fn(|| receiver.poll()).map(|e| e.tone).collect()
    }

    #[test]
    fn a_key_is_told_once_whichever_of_its_packets_come() {
        let all = [
            (true, false, 160),
            (false, false, 320),
            (false, true, 480),
            (false, true, 480),
            (false, true, 480),
        ];
        for subset in 1..32_u32 {
            let mut receiver = EventReceiver::new();
            for (n, (marked, end, duration)) in all.iter().enumerate() {
                if subset & (1 << n) != 0 {
                    assert!(receiver.handle(1000, *marked, &payload(5, *end, *duration)));
                }
            }
            assert_eq!(keys(&mut receiver), [Tone::Tone5], "{subset:b}");
        }
    }

    #[test]
    fn the_same_key_pressed_again_is_told_again_even_when_its_end_was_lost() {
        let mut receiver = EventReceiver::new();
        receiver.handle(1000, true, &payload(1, false, 160));
        receiver.handle(1000 + 960, false, &payload(1, false, 160));
        assert_eq!(keys(&mut receiver), [Tone::Tone1, Tone::Tone1]);
    }

    #[test]
    fn a_packet_of_an_earlier_key_out_of_order_repeats_nothing() {
        let mut receiver = EventReceiver::new();
        receiver.handle(1000, true, &payload(1, false, 160));
        receiver.handle(3000, true, &payload(2, false, 160));
        receiver.handle(1000, false, &payload(1, true, 800));
        assert_eq!(keys(&mut receiver), [Tone::Tone1, Tone::Tone2]);
    }

    #[test]
    fn a_key_held_for_long_is_one_key() {
        let mut receiver = EventReceiver::new();
        receiver.handle(0, true, &payload(9, false, 0xFFFF));
        receiver.handle(0xFFFF, false, &payload(9, false, 160));
        receiver.handle(0xFFFF, false, &payload(9, true, 320));
        assert_eq!(keys(&mut receiver), [Tone::Tone9]);
    }

    #[test]
    fn a_sender_that_moves_the_timestamp_is_forgiven() {
        let mut receiver = EventReceiver::new();
        for n in 0..8_u16 {
            receiver.handle(u32::from(n) * 160, n == 0, &payload(3, n == 7, (n + 1) * 160));
        }
        assert_eq!(keys(&mut receiver), [Tone::Tone3]);
    }

    #[test]
    fn what_is_no_key_is_ignored_and_the_queue_is_bounded() {
        let mut receiver = EventReceiver::new();
        assert!(!receiver.handle(0, true, &[1, 2, 3]));
        assert!(receiver.handle(0, true, &payload(200, false, 1)));
        assert_eq!(keys(&mut receiver), []);
        for n in 0..100 {
            receiver.handle(n * 10_000, true, &payload(1, false, 160));
        }
        assert_eq!(keys(&mut receiver).len(), MAX_WAITING);
    }
}
