//! What an application says and what has been heard of it: audio of any size goes in, frames of 20 ms come out.

use std::collections::VecDeque;
use std::time::Duration;

use media_engine::{FRAME_MS, level_dbfs};

use crate::format::Rate;
use crate::standing::Standing;
use crate::violation::Violation;

/// Marks that may wait to be heard. Arbitrary: one for each half second of the longest audio that may wait.
pub(crate) const MAX_MARKS: usize = 256;
/// Octets of a mark's name. Arbitrary: an id and something to read beside it.
pub(crate) const MAX_MARK_OCTETS: usize = 256;

const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
/// How long the media thread has had nothing when the application is taken to have stopped. One that speaks in real time
/// in pieces that are no whole frames leaves it without for less than a frame at first, and a frame more for jitter.
const DRY: Duration = Duration::from_millis(2 * FRAME_MS as u64);
/// What is softer than this is nobody who speaks.
const QUIETEST_VOICE_DB: f32 = -50.0;
/// Samples that stay allocated when all has been said; a long answer must not keep megabytes for the rest of the call.
const KEPT_SAMPLES: usize = 16 * 1024;

/// A queue of audio with named positions in it.
///
/// Frames are handed out one by one to whoever has room for them and are numbered from 1. [`Self::handle_gone`] says how
/// many of them were heard, or dropped after a clear; that is when marks are reached. Frames in which nobody speaks are left
/// out where all sound is late for nothing ([`Standing`]); they count as heard in their place.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: Rate,
    limit: usize,
    samples: VecDeque<i16>,
    /// Samples ever taken in and ever handed out or cleared.
    accepted: u64,
    taken: u64,
    last_accepted: Duration,
    /// Since when all frames are gone, where they are.
    idle_since: Duration,
    is_paused: bool,
    /// Marks whose samples wait here, by position.
    marks: VecDeque<(u64, String)>,
    /// Marks whose samples have been handed out, by frame.
    flying: VecDeque<(u64, String)>,
    /// Frames handed out, gone from the media thread's queue, and heard.
    said: u64,
    gone: u64,
    heard: u64,
    /// Frames that are going to be gone next without having been heard.
    dropped: u64,
    reports: VecDeque<Report>,
    standing: Standing,
    /// Nobody speaks in what was handed out or left out last, while there is a surplus.
    is_quiet: bool,
    /// Frames left out since one was handed out that is not gone yet, by that frame.
    left_out: VecDeque<(u64, u64)>,
}

/// What became of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The audio before it was dropped.
    Cleared(String),
    /// The audio before it has been heard.
    Reached(String),
}

impl Playout {
    /// An empty queue that holds at most `limit` of audio.
    pub(crate) fn new(rate: Rate, limit: Duration) -> Self {
        Self {
            rate,
            limit: (limit.as_millis() as u64 * u64::from(rate.hz()) / 1000) as usize,
            samples: VecDeque::new(),
            accepted: 0,
            taken: 0,
            last_accepted: Duration::ZERO,
            idle_since: Duration::ZERO,
            is_paused: false,
            marks: VecDeque::new(),
            flying: VecDeque::new(),
            said: 0,
            gone: 0,
            heard: 0,
            dropped: 0,
            reports: VecDeque::new(),
            standing: Standing::new(),
            is_quiet: false,
            left_out: VecDeque::new(),
        }
    }

    /// Takes in what is to be said next.
    ///
    /// # Errors
    ///
    /// [`Violation::TooMuchAudio`] where more would wait than may; then nothing of it is taken.
    pub(crate) fn handle_audio(&mut self, samples: &[i16], now: Duration) -> Result<(), Violation> {
        if self.samples.len() + samples.len() > self.limit {
            return Err(Violation::TooMuchAudio(self.limit as u64 * 1000 / u64::from(self.rate.hz())));
        }
        self.samples.extend(samples);
        self.accepted += samples.len() as u64;
        self.last_accepted = now;
        Ok(())
    }

    /// Names the end of what has been taken in.
    ///
    /// # Errors
    ///
    /// [`Violation::TooManyMarks`], [`Violation::MarkName`].
    pub(crate) fn handle_mark(&mut self, name: String) -> Result<(), Violation> {
        if name.is_empty() || name.len() > MAX_MARK_OCTETS {
            return Err(Violation::MarkName);
        }
        if self.marks.len() + self.flying.len() >= MAX_MARKS {
            return Err(Violation::TooManyMarks);
        }
        self.marks.push_back((self.accepted, name));
        self.settle();
        Ok(())
    }

    /// Drops what has not been heard, with its marks, and says how much that was. The media thread's queue is to be
    /// emptied, too.
    pub(crate) fn handle_clear(&mut self, now: Duration) -> Duration {
        let flying = self.said - self.gone - self.dropped;
        let left_out: u64 = self.left_out.drain(..).map(|(_, count)| count).sum();
        self.standing.restart(self.accepted, now);
        let waiting = self.samples.len() as u64 * 1000 / u64::from(self.rate.hz());
        self.dropped += flying;
        self.taken = self.accepted;
        self.samples.clear();
        self.shrink();
        let marks = self.flying.drain(..).chain(self.marks.drain(..));
        self.reports.extend(marks.map(|(_, name)| Report::Cleared(name)));
        FRAME * (flying + left_out) as u32 + Duration::from_millis(waiting)
    }

    /// Stops or goes on handing out.
    pub(crate) fn set_paused(&mut self, is_paused: bool, now: Duration) {
        self.standing.restart(self.accepted, now);
        self.is_paused = is_paused;
    }

    /// Takes note of how many frames are gone, of all that were ever handed out.
    pub(crate) fn handle_gone(&mut self, frames: u64, now: Duration) {
        let fresh = frames.min(self.said).saturating_sub(self.gone);
        if fresh == 0 {
            return;
        }
        self.gone += fresh;
        let unheard = fresh.min(self.dropped);
        self.dropped -= unheard;
        self.heard += fresh - unheard;
        self.idle_since = now;
        let waiting = self.said - self.gone + (self.samples.len() / self.rate.frame_samples()) as u64;
        self.standing.observe(waiting, (self.accepted, self.rate.hz()), now);
        self.settle();
    }

    /// Hands out the next frame, if there is one: a whole one, or what is left, and silence after it, once the
    /// application has stopped.
    pub(crate) fn poll_frame(&mut self, out: &mut [i16], now: Duration) -> bool {
        self.leave_out(out.len());
        let is_whole = self.samples.len() >= out.len();
        if self.is_paused || self.samples.is_empty() || !is_whole && !self.has_stopped(now) {
            return false;
        }
        let count = self.samples.len().min(out.len());
        let (front, back) = self.samples.as_slices();
        let (head, tail) = out.split_at_mut(front.len().min(count));
        head.copy_from_slice(front.get(..head.len()).unwrap_or_default());
        let (rest, padding) = tail.split_at_mut(count - head.len());
        rest.copy_from_slice(back.get(..rest.len()).unwrap_or_default());
        padding.fill(0);
        self.samples.drain(..count);
        self.shrink();
        self.taken += count as u64;
        self.said += 1;
        self.settle();
        true
    }

    /// When the rest of a frame may be handed out, if nothing happens before; once it may, it only waits for room.
    pub(crate) fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let has_rest = !self.samples.is_empty() && self.samples.len() < self.rate.frame_samples();
        let at = self.stops_at();
        (has_rest && !self.is_paused && self.is_idle() && now < at).then_some(at)
    }

    /// What became of marks, in order.
    pub(crate) fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Whether what comes next begins after silence.
    pub(crate) fn is_dry(&self, now: Duration) -> bool {
        self.is_idle() && now >= self.idle_since + DRY
    }

    /// How much has been heard so far.
    pub(crate) fn heard(&self) -> Duration {
        Duration::from_millis(self.heard * u64::from(FRAME_MS))
    }

    /// Leaves frames out in which nobody speaks, but the first of each pause, where there is a surplus.
    fn leave_out(&mut self, frame: usize) {
        self.is_quiet &= self.standing.has_surplus();
        while self.standing.has_surplus() && !self.is_paused && self.samples.len() >= frame {
            let is_quiet = self.is_next_quiet(frame);
            let was_quiet = std::mem::replace(&mut self.is_quiet, is_quiet);
            if !(was_quiet && is_quiet) {
                return;
            }
            self.standing.leave_out();
            self.samples.drain(..frame);
            self.taken += frame as u64;
            match self.left_out.back_mut().filter(|(said, _)| *said == self.said) {
                Some((_, count)) => *count += 1,
                None => self.left_out.push_back((self.said, 1)),
            }
        }
    }

    fn is_next_quiet(&self, frame: usize) -> bool {
        let (front, back) = self.samples.as_slices();
        let front = front.get(..frame).unwrap_or(front);
        let back = back.get(..frame - front.len()).unwrap_or(back);
        [front, back].iter().all(|part| level_dbfs(part) < QUIETEST_VOICE_DB)
    }

    /// Moves marks on whose samples have been handed out, and reports those that are reached.
    fn settle(&mut self) {
        while self.marks.front().is_some_and(|(position, _)| *position <= self.taken) {
            let Some((_, name)) = self.marks.pop_front() else { break };
            self.flying.push_back((self.said, name));
        }
        while let Some((_, count)) = self.left_out.pop_front_if(|(frame, _)| *frame <= self.gone) {
            self.heard += count;
        }
        while self.flying.front().is_some_and(|(frame, _)| *frame <= self.gone) {
            let Some((_, name)) = self.flying.pop_front() else { break };
            self.reports.push_back(Report::Reached(name));
        }
    }

    fn has_stopped(&self, now: Duration) -> bool {
        self.is_idle() && now >= self.stops_at()
    }

    fn stops_at(&self) -> Duration {
        self.idle_since.max(self.last_accepted) + DRY
    }

    /// Whether all that was handed out is gone.
    const fn is_idle(&self) -> bool {
        self.said == self.gone
    }

    fn shrink(&mut self) {
        if self.samples.is_empty() && self.samples.capacity() > KEPT_SAMPLES {
            self.samples.shrink_to(KEPT_SAMPLES);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZERO: Duration = Duration::ZERO;

    fn playout() -> Playout {
        Playout::new(Rate::Hz16000, Duration::from_secs(120))
    }

    fn frame(playout: &mut Playout, now: Duration) -> Option<Vec<i16>> {
        let mut out = vec![0; 320];
        playout.poll_frame(&mut out, now).then_some(out)
    }

    fn reports(playout: &mut Playout) -> Vec<Report> {
        std::iter::from_fn(|| playout.poll_report()).collect()
    }

    fn reached(name: &str) -> Report {
        Report::Reached(name.to_owned())
    }

    fn cleared(name: &str) -> Report {
        Report::Cleared(name.to_owned())
    }

    #[test]
    fn whatever_sizes_come_in_frames_come_out_in_order() {
        let mut playout = playout();
        let all: Vec<i16> = (0..960).collect();
        for chunk in [&all[..1], &all[1..500], &all[500..501], &all[501..960]] {
            playout.handle_audio(chunk, ZERO).unwrap();
        }
        let out: Vec<i16> = std::iter::from_fn(|| frame(&mut playout, ZERO)).flatten().collect();
        assert_eq!(out, all);
    }

    #[test]
    fn the_rest_of_a_frame_waits_for_more_and_is_padded_once_the_application_has_stopped() {
        let mut playout = playout();
        playout.handle_audio(&[7; 100], ZERO).unwrap();
        assert_eq!((frame(&mut playout, FRAME), playout.poll_timeout(FRAME)), (None, Some(DRY)));
        playout.handle_audio(&[7; 230], FRAME).unwrap();
        assert_eq!(frame(&mut playout, FRAME), Some(vec![7; 320]));
        assert_eq!((frame(&mut playout, FRAME * 9), playout.poll_timeout(FRAME * 9)), (None, None));
        playout.handle_gone(1, FRAME * 10);
        assert_eq!(
            (frame(&mut playout, FRAME * 11), playout.poll_timeout(FRAME * 11)),
            (None, Some(FRAME * 12))
        );
        let last = frame(&mut playout, FRAME * 12).unwrap();
        assert_eq!((&last[..10], &last[10..]), (&[7; 10][..], &[0; 310][..]));
        assert_eq!((playout.poll_timeout(FRAME * 12), frame(&mut playout, FRAME * 20)), (None, None));
    }

    #[test]
    fn real_time_in_pieces_that_are_no_frames_has_one_gap_at_most() {
        for piece in [1_u32, 7, 10, 30, 50, 70, 110] {
            let mut playout = playout();
            let (mut sent, mut gone, mut ring) = (Vec::new(), 0, VecDeque::new());
            for ms in 0..2000 {
                let now = Duration::from_millis(ms.into());
                if ms % piece == 0 {
                    playout.handle_audio(&vec![1; piece as usize * 16], now).unwrap();
                }
                if ms % 20 == 5 {
                    let said = ring.pop_front();
                    gone += u64::from(said.is_some());
                    playout.handle_gone(gone, now);
                    sent.extend(said.unwrap_or_else(|| vec![0; 320]));
                }
                while ring.len() < 5
                    && let Some(said) = frame(&mut playout, now)
                {
                    ring.push_back(said);
                }
            }
            let spoken = &sent[sent.iter().position(|x| *x == 1).unwrap()..];
            let gaps = spoken.chunk_by(|a, b| a == b).filter(|run| run[0] == 0).count();
            assert!(gaps <= 1, "{piece} ms: {gaps} gaps");
        }
    }

    #[test]
    fn a_mark_is_reached_when_the_frame_with_the_last_sample_before_it_is_gone() {
        let mut playout = playout();
        playout.handle_mark("start".to_owned()).unwrap();
        assert_eq!(reports(&mut playout), [reached("start")]);
        playout.handle_audio(&[1; 330], ZERO).unwrap();
        playout.handle_mark("in the second frame".to_owned()).unwrap();
        playout.handle_audio(&[1; 310], ZERO).unwrap();
        while frame(&mut playout, ZERO).is_some() {}
        playout.handle_gone(1, ZERO);
        assert_eq!(reports(&mut playout), []);
        playout.handle_gone(2, ZERO);
        assert_eq!(reports(&mut playout), [reached("in the second frame")]);
        assert_eq!(playout.heard(), FRAME * 2);
    }

    #[test]
    fn a_clear_drops_what_was_not_heard_and_tells_which_marks_that_were() {
        let mut playout = playout();
        playout.handle_audio(&[1; 320 * 10], ZERO).unwrap();
        playout.handle_mark("end".to_owned()).unwrap();
        for _ in 0..5 {
            frame(&mut playout, ZERO).unwrap();
        }
        playout.handle_gone(2, ZERO);
        assert_eq!(playout.handle_clear(ZERO), FRAME * 8);
        assert_eq!((frame(&mut playout, ZERO), reports(&mut playout)), (None, vec![cleared("end")]));
        playout.handle_gone(5, ZERO);
        assert_eq!(playout.heard(), FRAME * 2);
        playout.handle_audio(&[1; 320], ZERO).unwrap();
        playout.handle_mark("next".to_owned()).unwrap();
        assert!(frame(&mut playout, ZERO).is_some());
        playout.handle_gone(6, ZERO);
        assert_eq!((reports(&mut playout), playout.heard()), (vec![reached("next")], FRAME * 3));
    }

    #[test]
    fn a_paused_queue_takes_in_and_hands_out_nothing() {
        let mut playout = playout();
        playout.set_paused(true, ZERO);
        playout.handle_audio(&[1; 330], ZERO).unwrap();
        assert_eq!((frame(&mut playout, FRAME * 5), playout.poll_timeout(FRAME * 5)), (None, None));
        playout.set_paused(false, ZERO);
        assert!(frame(&mut playout, FRAME * 5).is_some());
    }

    /// A call in steps of a millisecond: what the application sends at each, and what the far end hears.
    struct Call {
        playout: Playout,
        ring: VecDeque<Vec<i16>>,
        sent: Vec<i16>,
        said: Vec<i16>,
        gone: u64,
        ms: u64,
    }

    impl Call {
        fn new() -> Self {
            let (ring, sent, said) = Default::default();
            Self { playout: playout(), ring, sent, said, gone: 0, ms: 0 }
        }

        fn now(&self) -> Duration {
            Duration::from_millis(self.ms)
        }

        fn send(&mut self, samples: &[i16]) {
            self.sent.extend(samples);
            self.playout.handle_audio(samples, self.now()).unwrap();
        }

        /// Frames that wait, the media thread's among them.
        fn waiting(&self) -> usize {
            self.ring.len() + self.playout.samples.len() / 320
        }

        fn pass(&mut self, ms: u64, mut send: impl FnMut(&mut Self)) {
            for _ in 0..ms {
                if self.ms % 20 == 5 {
                    let said = self.ring.pop_front();
                    self.gone += u64::from(said.is_some());
                    self.said.extend(said.unwrap_or_else(|| vec![0; 320]));
                    self.playout.handle_gone(self.gone, self.now());
                }
                send(self);
                let now = self.now();
                while self.ring.len() < 5
                    && let Some(said) = frame(&mut self.playout, now)
                {
                    self.ring.push_back(said);
                }
                self.ms += 1;
            }
        }

        /// As an echo does: a frame every 20 ms, words of 400 ms with pauses of 200 ms between them.
        fn talk(&mut self, ms: u64) {
            self.pass(ms, |call| {
                if call.ms % 20 == 6 {
                    call.send(&[word(call.ms); 320]);
                }
            });
        }

        /// As [`Self::talk`] through a socket that stands still, and then lets everything pass.
        fn stall(&mut self, ms: u64) {
            let from = self.ms;
            self.pass(ms, |_| {});
            for ms in (from..self.ms).filter(|ms| ms % 20 == 6) {
                self.send(&[word(ms); 320]);
            }
        }
    }

    fn word(ms: u64) -> i16 {
        if ms % 600 < 400 { 5_000 } else { 20 }
    }

    fn loud(samples: &[i16]) -> usize {
        samples.iter().filter(|x| **x == 5_000).count()
    }

    #[test]
    fn what_a_stall_delayed_is_made_up_for_in_pauses_and_no_word_is_lost() {
        for ms in [60, 200, 500, 1500] {
            let mut call = Call::new();
            call.talk(2_000);
            assert!(call.waiting() <= 1);
            call.stall(ms);
            call.talk(1_000);
            assert!(call.waiting() as u64 >= ms / 20 - 1, "{ms} ms: {}", call.waiting());
            call.talk(10_000);
            assert!(call.waiting() <= 2, "{ms} ms: {}", call.waiting());
            call.pass(200, |_| {});
            assert_eq!(loud(&call.said), loud(&call.sent), "{ms} ms");
        }
    }

    #[test]
    fn what_is_left_out_counts_as_heard_and_marks_lie_where_they_lay() {
        let mut call = Call::new();
        call.talk(1_000);
        call.stall(400);
        let mut reached = 0;
        for ms in 0..10_000 {
            call.talk(1);
            if ms % 370 == 0 {
                let name = loud(&call.sent).to_string();
                call.playout.handle_mark(name).unwrap();
            }
            for report in reports(&mut call.playout) {
                let Report::Reached(name) = report else { panic!("nothing was cleared") };
                let (before, said) = (name.parse::<usize>().unwrap(), loud(&call.said));
                assert!((before..=before + 320).contains(&said), "{before} samples of words, {said} said");
                reached += 1;
            }
        }
        assert!(reached > 20);
        call.pass(200, |_| {});
        assert!(call.said.len() < call.sent.len() + 320 * 40);
        assert_eq!(call.playout.heard(), Duration::from_millis(call.sent.len() as u64 / 16));
    }

    #[test]
    fn a_clear_tells_of_what_was_left_out_behind_what_was_not_heard() {
        let mut call = Call::new();
        call.talk(1_000);
        call.stall(400);
        while call.playout.left_out.is_empty() {
            call.talk(1);
        }
        let dropped = call.playout.handle_clear(call.now());
        let all = Duration::from_millis(call.sent.len() as u64 / 16);
        assert_eq!(call.playout.heard() + dropped, all);
    }

    #[test]
    fn answers_that_are_sent_ahead_keep_their_pauses() {
        let answer: Vec<i16> = (0..8_000).flat_map(|ms| [word(ms); 16]).collect();
        // All at once, at twice the pace, and in pieces of a second as fast as they are said.
        for (piece_ms, every_ms) in [(8_000, 8_000), (100, 50), (1_000, 1_000)] {
            let mut call = Call::new();
            call.talk(700);
            call.pass(700, |_| {});
            let (from, said) = (call.ms, call.said.len());
            let mut pieces = answer.chunks(piece_ms * 16);
            call.pass(9_000, |call| {
                if (call.ms - from).is_multiple_of(every_ms)
                    && let Some(piece) = pieces.next()
                {
                    call.send(piece);
                }
            });
            let heard = &call.said[said..];
            let start = heard.iter().position(|x| *x == 5_000).unwrap();
            assert!(heard[start..].starts_with(&answer), "pieces of {piece_ms} ms");
        }
    }

    #[test]
    fn a_clock_that_is_too_fast_is_followed() {
        let mut call = Call::new();
        for second in 0..120 {
            call.talk(1_000);
            if second % 2 == 0 {
                call.send(&[20; 320]);
            }
        }
        assert!(call.waiting() <= 6, "{}", call.waiting());
    }

    #[test]
    fn two_minutes_of_audio_and_no_more_may_wait() {
        let mut playout = playout();
        for _ in 0..120 {
            playout.handle_audio(&[0; 16_000], ZERO).unwrap();
        }
        assert_eq!(playout.handle_audio(&[0; 1], ZERO), Err(Violation::TooMuchAudio(120_000)));
        frame(&mut playout, ZERO).unwrap();
        playout.handle_audio(&[0; 320], ZERO).unwrap();
        playout.handle_clear(ZERO);
        assert!(playout.samples.capacity() <= 2 * KEPT_SAMPLES);
    }

    #[test]
    fn marks_have_limits() {
        let mut playout = playout();
        playout.handle_audio(&[0; 320], ZERO).unwrap();
        assert_eq!(playout.handle_mark(String::new()), Err(Violation::MarkName));
        assert_eq!(playout.handle_mark("x".repeat(257)), Err(Violation::MarkName));
        for _ in 0..MAX_MARKS {
            playout.handle_mark("x".to_owned()).unwrap();
        }
        assert_eq!(playout.handle_mark("x".to_owned()), Err(Violation::TooManyMarks));
    }

    proptest! {
        #[test]
        fn every_mark_is_reported_once_and_in_order(
            steps in prop::collection::vec((0_u8..6, 0_usize..1000), 0..200)
        ) {
            let mut playout = playout();
            let (mut names, mut told, mut now, mut gone) = (0, Vec::new(), ZERO, 0);
            for (step, size) in steps {
                now += Duration::from_millis(7);
                match step {
                    0 | 1 => playout.handle_audio(&vec![1; size], now).unwrap(),
                    2 => if playout.handle_mark(names.to_string()).is_ok() { names += 1 },
                    3 => { frame(&mut playout, now); }
                    4 => { gone += 1; playout.handle_gone(gone.min(playout.said), now); gone = playout.gone; }
                    _ => { if size < 100 { playout.handle_clear(now); } }
                }
                told.extend(reports(&mut playout));
            }
            playout.handle_gone(u64::MAX, now);
            while frame(&mut playout, now).is_some() {}
            playout.handle_gone(u64::MAX, now);
            frame(&mut playout, now + DRY);
            playout.handle_gone(u64::MAX, now);
            told.extend(reports(&mut playout));
            let told: Vec<String> = told.into_iter().map(|report| match report {
                Report::Cleared(name) | Report::Reached(name) => name,
            }).collect();
            let expected: Vec<String> = (0..names).map(|name: u32| name.to_string()).collect();
            prop_assert_eq!(told, expected);
            prop_assert!(playout.heard <= playout.said && playout.left_out.is_empty());
            prop_assert_eq!(playout.dropped, 0);
        }
    }
}
