//! What members of a mixer say, heard one by one.

use std::f64::consts::TAU;

use media_engine::analysis::{amplitude_at, largest_step, rms};
use media_engine::{
    Audience, Converters, DEFAULT_TALKERS, Frame, FrameKind, MemberId, Mixer, SampleRate, Seat,
};

const HZ8: SampleRate = SampleRate::Hz8000;
const HZ16: SampleRate = SampleRate::Hz16000;
const HZ48: SampleRate = SampleRate::Hz48000;

/// Loudness of those who speak.
const SPOKEN: f64 = 4_000.0;
/// Samples of a frame as it is heard.
const SAMPLES: usize = HZ16.frame_samples();

/// Members who speak with tones of their own, and one who hears them one by one and together, at 16 kHz.
struct Table {
    mixer: Mixer,
    listener: MemberId,
    speakers: Vec<(MemberId, SampleRate)>,
    alone: Vec<Vec<i16>>,
    together: Vec<i16>,
    round: usize,
}

impl Table {
    fn new(max_talkers: usize, rates: &[SampleRate]) -> Self {
        let mut mixer = Mixer::new(50, max_talkers);
        let mut join = |name: usize, rate| {
            let seat = Seat::new(name as u64, Some(rate), Audience::default(), false);
            mixer.join(Box::new(seat)).expect("a place")
        };
        let listener = join(99, HZ16);
        let speakers: Vec<_> =
            rates.iter().enumerate().map(|(name, rate)| (join(name, *rate), *rate)).collect();
        let alone = vec![Vec::new(); speakers.len()];
        Self { mixer, listener, speakers, alone, together: Vec::new(), round: 0 }
    }

    /// Pitches that none of the others, and no sum of two, is near.
    fn pitch(speaker: usize) -> f64 {
        450.0 + 350.0 * speaker as f64
    }

    /// Lets these speak, and the others send silence.
    fn run(&mut self, rounds: usize, speaking: &[usize]) {
        for _ in 0..rounds {
            self.mixer.begin_round();
            for (number, (member, rate)) in self.speakers.iter().enumerate() {
                let mut frame = Frame::silence(*rate);
                for (n, slot) in frame.samples_mut().iter_mut().enumerate() {
                    let time = (self.round * rate.frame_samples() + n) as f64 / f64::from(rate.hz());
                    if speaking.contains(&number) {
                        *slot = (SPOKEN * (TAU * Self::pitch(number) * time).sin()).round() as i16;
                    }
                }
                self.mixer.hear(*member, &frame, FrameKind::Audio);
                let mut out = Frame::silence(HZ16);
                if self.mixer.may_hear(self.listener, *member) && self.mixer.alone(*member, &frame, &mut out)
                {
                    self.alone[number].extend(out.samples());
                }
            }
            self.mixer.select();
            self.together.extend(self.mixer.samples(self.listener, HZ16));
            self.round += 1;
        }
    }

    /// Amplitude of a speaker in the last rounds of what was heard.
    fn share(heard: &[i16], speaker: usize) -> f64 {
        amplitude_at(&heard[heard.len() - 20 * SAMPLES..], Self::pitch(speaker), HZ16.hz())
    }
}

#[test]
fn each_of_five_is_heard_alone_and_all_five_together() {
    for rates in [[HZ8; 5], [HZ16; 5], [HZ48; 5], [HZ8, HZ48, HZ16, HZ8, HZ48]] {
        let mut table = Table::new(DEFAULT_TALKERS, &rates);
        table.run(60, &[0, 1, 2, 3, 4]);
        for speaker in 0..5 {
            let own = Table::share(&table.alone[speaker], speaker);
            assert!((own - SPOKEN).abs() < 80.0, "{own} of {speaker} at {rates:?}");
            let level = rms(&table.alone[speaker][40 * SAMPLES..]);
            assert!((level * 2.0_f64.sqrt() / SPOKEN - 1.0).abs() < 0.02, "more than its own tone: {level}");
            let mixed = Table::share(&table.together, speaker);
            assert!((mixed - SPOKEN).abs() < 120.0, "{mixed} of {speaker} in the mix at {rates:?}");
        }
    }
}

#[test]
fn what_is_heard_alone_has_no_seams_whether_or_not_the_others_hear_it() {
    for rate in [HZ8, HZ48] {
        let mut table = Table::new(1, &[rate; 3]);
        // All the time one speaks whose place the others take and leave.
        for turn in 0..8 {
            table.run(20, if turn % 2 == 0 { &[0] } else { &[0, 1, 2] });
        }
        let heard = &table.alone[0][SAMPLES..];
        let natural = 2.0 * SPOKEN * (std::f64::consts::PI * Table::pitch(0) / f64::from(HZ16.hz())).sin();
        assert!(f64::from(largest_step(heard)) < natural * 1.05, "{rate:?}: {}", largest_step(heard));
        assert!((amplitude_at(heard, Table::pitch(0), HZ16.hz()) - SPOKEN).abs() < 40.0);
    }
}

#[test]
fn nobody_is_heard_alone_who_may_not_be_heard() {
    let mut table = Table::new(DEFAULT_TALKERS, &[HZ8; 5]);
    let [muted, private, named, outside, gone] = [0, 1, 2, 3, 4].map(|speaker| table.speakers[speaker].0);
    let route = |audience| Box::new(audience);
    table.mixer.set_muted(muted, true);
    table.mixer.set_audience(private, route(Audience::new(true, Some(vec![0, 2]))));
    table.mixer.set_audience(named, route(Audience::new(false, Some(vec![99]))));
    table.mixer.set_audience(outside, route(Audience::new(false, None)));
    table.mixer.leave(gone);
    table.run(5, &[0, 1, 2, 3, 4]);
    let heard: Vec<bool> = table.alone.iter().map(|heard| !heard.is_empty()).collect();
    assert_eq!(heard, [false, false, true, false, false]);
    assert!(!table.mixer.may_hear(table.listener, table.listener));

    // A listener outside of the group hears who names it, and nobody else.
    table.mixer.set_muted(muted, false);
    table.mixer.set_audience(table.listener, route(Audience::new(false, None)));
    assert!(!table.mixer.may_hear(table.listener, muted) && table.mixer.may_hear(table.listener, named));
}

#[test]
fn a_member_whose_codec_changes_is_heard_at_both_rates() {
    let mut table = Table::new(DEFAULT_TALKERS, &[HZ8]);
    table.run(20, &[0]);
    table.speakers[0].1 = HZ48;
    table.mixer.set_converters(table.speakers[0].0, Box::new(Converters::new(HZ48)));
    table.run(40, &[0]);
    assert_eq!(table.alone[0].len(), 60 * SAMPLES);
    assert!((Table::share(&table.alone[0], 0) - SPOKEN).abs() < 80.0);
}
