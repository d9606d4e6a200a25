//! Applications that host their own media, as members of mixers.

mod support;

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;

use media_engine::analysis::{amplitude_at, largest_step, sine};
use media_engine::{PromptAudio, level_dbfs};
use media_plane::{
    HeardFrame, LegId, MediaPlane, MemberConfig, MixerConfig, PlaneError, Route, STREAM_FRAME_SAMPLES,
    StreamConfig, StreamPort,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtc_proto::Codec;
use support::Rig;
use support::meeting::{CAPTURE, HEARD, JOB, MS, Meeting, SPOKEN, TONE};

/// The mix, and each by itself.
const ALL: StreamConfig = StreamConfig { has_mix: true, has_unmixed: true, max_sources: 16 };

type Samples = [i16; STREAM_FRAME_SAMPLES];

/// Waits until there may be a frame.
fn wait_readable(port: &StreamPort) {
    let mut waiting = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut waiting, PollTimeout::from(5_000_u16)).expect("poll"), 1, "nothing is heard");
}

/// An application in a mixer.
struct App {
    leg: LegId,
    port: StreamPort,
    /// How many rounds have been heard.
    rounds: u64,
}

impl App {
    fn join(plane: &MediaPlane, mixer: media_plane::MixerId, config: StreamConfig) -> Self {
        let leg = plane.open_virtual_leg(mixer).expect("leg");
        let port = plane.open_stream(leg, config).expect("stream");
        plane.join(leg, mixer, MemberConfig::default()).expect("join");
        Self { leg, port, rounds: 0 }
    }

    /// Hears so many rounds, and says these frames in the meantime.
    fn hear(&mut self, rounds: u64, mut said: impl Iterator<Item = Samples>) -> Vec<HeardFrame> {
        let (mut heard, until) = (Vec::new(), self.rounds + rounds);
        // The last round is over when the first frame of the next comes.
        while self.rounds < until {
            wait_readable(&self.port);
            while let Some(frame) = self.port.next_heard() {
                assert!(frame.number + 1 >= self.rounds, "frames come in order");
                self.rounds = frame.number + 1;
                heard.push(frame);
            }
            while self.port.room() > 0 {
                let Some(frame) = said.next() else { break };
                assert!(self.port.say(frame));
            }
        }
        heard
    }

    fn listen(&mut self, rounds: u64) -> Vec<HeardFrame> {
        self.hear(rounds, std::iter::empty())
    }
}

/// A tone for ever, as it is said.
fn tone(pitch: f64) -> impl Iterator<Item = Samples> {
    let second = sine(pitch, 16_000, f64::from(SPOKEN), 16_000);
    let frames: Vec<Samples> =
        second.chunks_exact(STREAM_FRAME_SAMPLES).map(|frame| frame.try_into().expect("a frame")).collect();
    frames.into_iter().cycle()
}

/// What was heard of each, in one piece.
fn by_source(heard: &[HeardFrame]) -> BTreeMap<Option<LegId>, Vec<i16>> {
    let mut sources = BTreeMap::<_, Vec<i16>>::new();
    for frame in heard {
        sources.entry(frame.source).or_default().extend(frame.samples);
    }
    sources
}

/// Which pitches are loud in the last fifth of a second.
fn pitches(samples: &[i16], of: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let tail = &samples[samples.len().saturating_sub(3_200)..];
    of.into_iter().filter(|pitch| amplitude_at(tail, *pitch, 16_000) > HEARD).collect()
}

#[test]
fn an_application_hears_all_and_is_heard_through_its_stream() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 2]);
    let plane = meeting.rig.plane.clone();
    let leg = plane.open_virtual_leg(meeting.mixer).unwrap();
    let mut port = plane.open_stream(leg, StreamConfig::default()).unwrap();
    plane.join(leg, meeting.mixer, MemberConfig::default()).unwrap();
    // What it says is heard, so a tone of another pitch than any phone's is said for a second.
    let tone = sine(1_600.0, 16_000, f64::from(SPOKEN), 16_000);
    let mut frames = tone.chunks_exact(STREAM_FRAME_SAMPLES).map(|frame| frame.try_into().unwrap());
    let (mut heard, mut numbers) = (Vec::new(), Vec::new());
    meeting.rig.capture(meeting.phones[0].far, CAPTURE, "stream");
    while heard.len() < 16_000 {
        wait_readable(&port);
        while let Some(frame) = port.next_heard() {
            heard.extend(frame.samples);
            numbers.push(frame.number);
        }
        while port.room() > 0 {
            let Some(frame) = frames.next() else { break };
            assert!(port.say(frame));
        }
    }
    let captured = meeting.rig.captured(meeting.phones[0].far, CAPTURE);
    assert!(amplitude_at(&captured[6_400..9_600], 1_600.0, 16_000) > HEARD, "the application is heard");
    let tail = &heard[12_800..];
    for phone in &meeting.phones {
        assert!(amplitude_at(tail, phone.pitch.into(), 16_000) > HEARD, "the application hears everyone");
    }
    assert!(amplitude_at(tail, 1_600.0, 16_000) < 200.0, "and not itself");
    assert!(numbers.is_sorted(), "frames come in order");

    // What waits can be taken back.
    while port.say([9; STREAM_FRAME_SAMPLES]) {}
    let (before, said) = (port.played(), port.gone() + 5 - port.room() as u64);
    port.flush();
    meeting.pass(100 * MS);
    assert!(port.played() <= before + 1 && port.room() == 5, "what was taken back is not played");
    assert_eq!(port.gone(), said, "and gone");
    plane.close(leg).unwrap();
    meeting.rig.closed(leg);
    while port.next_heard().is_some() {}
    meeting.pass(200 * MS);
    assert!(port.is_closed());
}

#[test]
fn of_five_who_talk_each_is_heard_alone_and_the_mix_holds_all() {
    let codecs = [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Pcma, Codec::Opus];
    let mut meeting = Meeting::of(&codecs);
    let mut app = App::join(&meeting.rig.plane.clone(), meeting.mixer, ALL);
    meeting.pass(400 * MS);
    app.listen(25);

    let heard = app.listen(50);

    let all: Vec<f64> = meeting.phones.iter().map(|phone| f64::from(phone.pitch)).collect();
    let sources = by_source(&heard);
    assert_eq!(sources.len(), 6);
    assert_eq!(pitches(&sources[&None], all.iter().copied()), all);
    for phone in &meeting.phones {
        let alone = &sources[&Some(phone.leg)];
        assert!(alone.len() >= 49 * STREAM_FRAME_SAMPLES, "a frame in every round");
        for pitch in &all {
            let share = amplitude_at(alone, *pitch, 16_000);
            let is_its = (f64::from(phone.pitch) - pitch).abs() < 1.0;
            assert!(
                if is_its { share > 0.95 * f64::from(SPOKEN) } else { share < 60.0 },
                "{share} at {pitch}"
            );
        }
        let natural = largest_step(&sine(phone.pitch.into(), 16_000, f64::from(SPOKEN), 1_600));
        assert!(largest_step(alone) < natural * 12 / 10, "{} at {}", largest_step(alone), phone.pitch);
    }
    // All frames of a round come together, the mix last.
    for pair in heard.windows(2) {
        assert_eq!(pair[1].number, pair[0].number + u64::from(pair[0].source.is_none()));
    }
    assert_eq!((app.port.lost(), app.port.left_out()), (0, 0));
}

#[test]
fn those_who_are_not_among_the_few_are_heard_alone_all_the_same() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 8]);
    let config = StreamConfig { has_mix: false, ..ALL };
    let mut app = App::join(&meeting.rig.plane.clone(), meeting.mixer, config);
    meeting.pass(400 * MS);
    app.listen(25);

    let sources = by_source(&app.listen(25));

    assert_eq!(sources.len(), 8);
    for phone in &meeting.phones {
        assert_eq!(pitches(&sources[&Some(phone.leg)], [phone.pitch.into()]).len(), 1);
    }
}

#[test]
fn nobody_is_heard_alone_whom_the_application_may_not_hear() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 5]);
    let plane = meeting.rig.plane.clone();
    let mut app = App::join(&plane, meeting.mixer, ALL);
    let [muted, private, named, outside, last] = [0, 1, 2, 3, 4].map(|phone| meeting.phones[phone].leg);
    let route = |is_in_default_group, audience| Route { is_in_default_group, audience };
    plane.set_muted(muted, true).unwrap();
    plane.set_route(private, route(true, Some(vec![last]))).unwrap();
    plane.set_route(named, route(false, Some(vec![app.leg]))).unwrap();
    plane.set_route(outside, route(false, None)).unwrap();
    meeting.pass(400 * MS);
    app.listen(25);

    let sources = by_source(&app.listen(25));

    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), [None, Some(named), Some(last)]);
    let pitch = |phone: usize| f64::from(meeting.phones[phone].pitch);
    assert_eq!(pitches(&sources[&None], (0..5).map(pitch)), [pitch(2), pitch(4)]);

    plane.set_muted(muted, false).unwrap();
    plane.leave(last).unwrap();
    meeting.pass(200 * MS);
    app.listen(25);
    let sources = by_source(&app.listen(25));
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), [None, Some(muted), Some(named)]);
}

#[test]
fn prompts_and_other_applications_are_heard_alone_and_nobody_hears_itself() {
    let mut meeting = Meeting::of(&[Codec::Pcmu]);
    let plane = meeting.rig.plane.clone();
    let mut app = App::join(&plane, meeting.mixer, ALL);
    let mut other = App::join(&plane, meeting.mixer, StreamConfig::default());
    let bot = plane.open_virtual_leg(meeting.mixer).unwrap();
    plane.join(bot, meeting.mixer, MemberConfig::default()).unwrap();
    let prompt = PromptAudio::from_samples(sine(1_500.0, 16_000, f64::from(SPOKEN), 16_000), 16_000);
    plane.play(bot, JOB, &[prompt.into()], true).unwrap();
    meeting.pass(400 * MS);

    let expected = [(meeting.phones[0].leg, 400.0), (bot, 1_500.0), (other.leg, 1_800.0)];
    std::thread::scope(|scope| {
        scope.spawn(|| other.hear(60, tone(1_800.0)));
        let heard = app.hear(60, tone(2_200.0));
        let sources = by_source(&heard);
        assert_eq!(sources.len(), 4, "{:?}", sources.keys());
        let all = [400.0, 1_500.0, 1_800.0, 2_200.0];
        assert_eq!(pitches(&sources[&None], all), all[..3]);
        for (leg, pitch) in expected {
            assert_eq!(pitches(&sources[&Some(leg)], all), [pitch]);
        }
    });
}

#[test]
fn while_an_application_is_away_people_hear_faint_noise_and_other_applications_nobody() {
    let mut meeting = Meeting::of(&[]);
    meeting.add(Codec::Pcmu);
    meeting.add(Codec::Opus);
    let plane = meeting.rig.plane.clone();
    let away = App::join(&plane, meeting.mixer, StreamConfig::default());
    let mut other = App::join(&plane, meeting.mixer, StreamConfig { has_mix: false, ..ALL });
    meeting.pass(400 * MS);
    assert!(meeting.listen(&[0, 1]).iter().all(|heard| level_dbfs(heard) < -90.0));

    away.port.comfort().set(true);
    meeting.pass(200 * MS);
    for heard in meeting.listen(&[0, 1]) {
        // Half of its bands do not pass a line of 8 kHz.
        assert!((-71.0..-63.0).contains(&level_dbfs(&heard)), "{}", level_dbfs(&heard));
    }
    assert_eq!(away.port.played(), 0);
    assert!(other.listen(25).iter().all(|frame| frame.source != Some(away.leg)));

    away.port.comfort().set(false);
    meeting.pass(200 * MS);
    assert!(meeting.listen(&[0, 1]).iter().all(|heard| level_dbfs(heard) < -90.0));
}

#[test]
fn an_application_that_is_alone_hears_silence_in_every_round() {
    let rig = Rig::new();
    let mixer = rig.plane.open_mixer(MixerConfig::default(), None).unwrap();
    let mut app = App::join(&rig.plane, mixer, ALL);

    let heard = app.listen(30);

    assert!(heard.iter().all(|frame| frame.source.is_none() && frame.is_silent));
    assert!(heard.iter().zip(0..).all(|(frame, number)| frame.number == number));
}

#[test]
fn a_stream_survives_the_move_of_its_leg_and_hears_the_new_mixer() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 2]);
    let plane = meeting.rig.plane.clone();
    let side = plane.open_mixer(MixerConfig::default(), Some(meeting.phones[0].leg)).unwrap();
    let mut app = App::join(&plane, meeting.mixer, ALL);
    let [stays, moves] = [0, 1].map(|phone| meeting.phones[phone]);
    meeting.pass(400 * MS);
    app.listen(25);

    plane.join(moves.leg, side, MemberConfig::default()).unwrap();
    plane.join(app.leg, side, MemberConfig::default()).unwrap();
    meeting.rig.capture(moves.far, CAPTURE, "moved-stream");
    let before = app.rounds;
    let heard = app.hear(60, tone(1_800.0));

    assert!(heard.windows(2).all(|pair| pair[0].number <= pair[1].number));
    assert!(app.rounds >= before + 60);
    let all = [f64::from(stays.pitch), f64::from(moves.pitch)];
    let late: Vec<_> = heard.into_iter().filter(|frame| frame.number > app.rounds - 20).collect();
    let sources = by_source(&late);
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), [None, Some(moves.leg)]);
    assert_eq!(pitches(&sources[&None], all), all[1..]);
    let captured = meeting.rig.captured(moves.far, CAPTURE);
    assert_eq!(pitches(&captured[..captured.len() - 1_600], [1_800.0]).len(), 1, "it is heard there");
    // Whoever is left behind hears it no more.
    meeting.rig.plane.stop(moves.far, TONE).unwrap();
    assert_eq!(meeting.heard_by(&[0]), [vec![]]);
}

#[test]
fn streams_are_for_virtual_legs_and_hear_something() {
    let rig = Rig::new();
    let mixer = rig.plane.open_mixer(MixerConfig::default(), None).unwrap();
    let bot = rig.plane.open_virtual_leg(mixer).unwrap();
    for config in [
        StreamConfig { has_mix: false, has_unmixed: false, max_sources: 1 },
        StreamConfig { max_sources: 0, ..ALL },
        StreamConfig { max_sources: 65, ..ALL },
    ] {
        assert!(matches!(rig.plane.open_stream(bot, config), Err(PlaneError::Setting(_))));
    }
    let (near, _) = rig.pair(Codec::Pcmu, None);
    assert!(matches!(rig.plane.open_stream(near.leg, ALL), Err(PlaneError::NoLeg)));
}
