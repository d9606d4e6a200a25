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
    assert_eq!((frame(&mut playout, FRAME * 11), playout.poll_timeout(FRAME * 11)), (None, Some(FRAME * 12)));
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
