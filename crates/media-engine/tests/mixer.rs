//! What members of a mixer hear, on the samples.

use std::f64::consts::TAU;

use media_engine::analysis::{amplitude_at, largest_step, rms, sine};
use media_engine::{Audience, Converters, Frame, FrameKind, MemberId, Mixer, SampleRate, Seat};

const HZ8: SampleRate = SampleRate::Hz8000;
const HZ16: SampleRate = SampleRate::Hz16000;
const HZ48: SampleRate = SampleRate::Hz48000;

/// Loudness of those who speak at an ordinary level.
const SPOKEN: f64 = 5_000.0;

/// A member whose voice is a tone of its own, told from others by its pitch.
struct Member {
    id: MemberId,
    rate: SampleRate,
    pitch: f64,
    amplitude: f64,
    /// What it slides from in the next frame.
    before: f64,
    /// Whether frames come from it.
    is_sending: bool,
    is_prompt: bool,
    heard: Vec<i16>,
}

/// A mixer and those who are in it.
struct Table {
    mixer: Mixer,
    members: Vec<Member>,
    round: usize,
}

impl Table {
    fn new(max_talkers: usize) -> Self {
        Self { mixer: Mixer::new(50, max_talkers), members: Vec::new(), round: 0 }
    }

    /// Members at these rates, with pitches from 300 Hz on, 150 Hz apart; nobody speaks.
    fn seat(&mut self, rates: &[SampleRate]) {
        for rate in rates {
            let number = self.members.len();
            let seat = Seat::new(number as u64, Some(*rate), Audience::default(), false);
            let id = self.mixer.join(Box::new(seat)).expect("a place");
            self.members.push(Member {
                id,
                rate: *rate,
                pitch: 300.0 + 150.0 * number as f64,
                amplitude: 0.0,
                before: 0.0,
                is_sending: true,
                is_prompt: false,
                heard: Vec::new(),
            });
        }
    }

    /// Speaks so loud from the next frame on.
    fn speak(&mut self, member: usize, amplitude: f64) {
        self.members[member].amplitude = amplitude;
        self.members[member].before = amplitude;
    }

    /// Gets so loud in the course of the next frame.
    fn slide(&mut self, member: usize, amplitude: f64) {
        self.members[member].amplitude = amplitude;
    }

    fn route(&mut self, member: usize, is_in_default_group: bool, audience: Option<&[u64]>) {
        let audience = Audience::new(is_in_default_group, audience.map(<[u64]>::to_vec));
        self.mixer.set_audience(self.members[member].id, Box::new(audience));
    }

    fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.mixer.begin_round();
            for member in &mut self.members {
                if !member.is_sending {
                    continue;
                }
                let samples = member.rate.frame_samples();
                let mut frame = Frame::silence(member.rate);
                for (n, slot) in frame.samples_mut().iter_mut().enumerate() {
                    let time = (self.round * samples + n) as f64 / f64::from(member.rate.hz());
                    let amplitude =
                        member.before + (member.amplitude - member.before) * n as f64 / samples as f64;
                    *slot = (amplitude * (TAU * member.pitch * time).sin()).round() as i16;
                }
                member.before = member.amplitude;
                if member.is_prompt {
                    self.mixer.hear_prompt(member.id, &frame);
                } else {
                    self.mixer.hear(member.id, &frame, FrameKind::Audio);
                }
            }
            self.mixer.select();
            for member in &mut self.members {
                member.heard.extend(self.mixer.samples(member.id, member.rate));
            }
            self.round += 1;
        }
    }

    /// Amplitude of one in what another heard last, over so many rounds.
    fn share(&self, listener: usize, speaker: usize, rounds: usize) -> f64 {
        let listener = &self.members[listener];
        let from = listener.heard.len().saturating_sub(rounds * listener.rate.frame_samples());
        amplitude_at(&listener.heard[from..], self.members[speaker].pitch, listener.rate.hz())
    }

    /// Who is heard by a listener, of what it heard last.
    fn heard_by(&self, listener: usize, rounds: usize) -> Vec<usize> {
        (0..self.members.len()).filter(|n| self.share(listener, *n, rounds) > 300.0).collect()
    }

    /// The largest step in what a member heard, in shares of what these speakers make together anyway.
    fn roughness(&self, listener: usize, speakers: &[(usize, f64)]) -> f64 {
        let listener = &self.members[listener];
        let step = |(speaker, amplitude): &(usize, f64)| {
            2.0 * amplitude
                * (std::f64::consts::PI * self.members[*speaker].pitch / f64::from(listener.rate.hz())).sin()
        };
        f64::from(largest_step(&listener.heard)) / speakers.iter().map(step).sum::<f64>()
    }
}

#[test]
fn everybody_hears_all_others_and_not_itself() {
    for rate in [HZ8, HZ16, HZ48] {
        let mut table = Table::new(4);
        table.seat(&[rate; 4]);
        (0..4).for_each(|member| table.speak(member, SPOKEN));
        table.run(30);
        for listener in 0..4 {
            for speaker in 0..4 {
                let wanted = if listener == speaker { 0.0 } else { SPOKEN };
                let share = table.share(listener, speaker, 20);
                assert!((share - wanted).abs() < 60.0, "{rate:?}: {share} of {speaker} in {listener}");
            }
        }
    }
}

#[test]
fn one_who_speaks_alone_is_heard_unchanged_however_loud() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 3]);
    table.speak(0, 32_700.0);
    table.run(20);
    let said = sine(300.0, 8_000, 32_700.0, 20 * 160);
    assert!(table.members[1].heard[160..] == said[160..]);
    assert!(table.members[0].heard.iter().all(|x| *x == 0));
}

#[test]
fn a_first_word_is_heard_in_the_round_in_which_it_is_said() {
    let mut table = Table::new(2);
    table.seat(&[HZ8; 8]);
    // Too many send for all to be heard, so a detector decides.
    (0..8).for_each(|member| table.speak(member, 20.0));
    table.run(100);
    table.speak(5, SPOKEN);
    table.run(1);
    let said = sine(table.members[5].pitch, 8_000, SPOKEN, 101 * 160);
    let heard = &table.members[0].heard;
    assert!(heard[100 * 160 + 40..] == said[100 * 160 + 40..]);
    assert!(rms(&heard[50 * 160..100 * 160]) < 1.0);
}

#[test]
fn eight_and_forty_eight_kilohertz_hear_each_other() {
    let mut table = Table::new(4);
    table.seat(&[HZ8, HZ48, HZ16, HZ48]);
    (0..4).for_each(|member| table.speak(member, SPOKEN));
    table.run(60);
    for listener in 0..4 {
        for speaker in 0..4 {
            let wanted = if listener == speaker { 0.0 } else { SPOKEN };
            let share = table.share(listener, speaker, 40);
            assert!((share - wanted).abs() < 150.0, "{share} of {speaker} in {listener}");
        }
        let others: Vec<_> = (0..4).filter(|n| *n != listener).map(|n| (n, SPOKEN)).collect();
        assert!(table.roughness(listener, &others) < 1.1, "{listener}");
    }
}

#[test]
fn high_sound_of_a_wide_leg_reaches_wide_legs_although_a_narrow_one_listens() {
    let mut table = Table::new(4);
    table.seat(&[HZ48, HZ48, HZ8]);
    table.members[0].pitch = 12_000.0;
    table.speak(0, SPOKEN);
    table.run(20);
    assert!(table.share(1, 0, 10) > 0.99 * SPOKEN);
    assert!(rms(&table.members[2].heard[480..]) < 10.0);
}

#[test]
fn of_twenty_the_loudest_are_heard() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 20]);
    (0..20).for_each(|member| table.speak(member, 400.0 + 300.0 * (member * 7 % 20) as f64));
    table.run(60);
    let mut loudest: Vec<usize> = (0..20).collect();
    loudest.sort_by_key(|member| std::cmp::Reverse(member * 7 % 20));
    let mut talkers = loudest[..4].to_vec();
    talkers.sort_unstable();
    assert_eq!(table.heard_by(loudest[10], 20), talkers);
    let first_not_itself: Vec<usize> = talkers.iter().copied().filter(|n| *n != talkers[0]).collect();
    assert_eq!(table.heard_by(talkers[0], 20), first_not_itself);
}

#[test]
fn a_little_louder_one_waits_and_a_much_louder_one_gets_in_at_once() {
    let mut table = Table::new(2);
    table.seat(&[HZ8; 5]);
    table.speak(0, SPOKEN);
    table.speak(1, 2.0 * SPOKEN);
    table.run(50);
    table.speak(2, 1.5 * SPOKEN);
    table.run(50);
    assert_eq!(table.heard_by(4, 20), [0, 1]);
    table.speak(3, 2.5 * SPOKEN);
    table.run(2);
    assert!(table.share(4, 3, 1) > 2.0 * SPOKEN);
    table.run(50);
    assert_eq!(table.heard_by(4, 20), [1, 3]);
}

#[test]
fn noise_of_the_many_is_not_mixed_and_of_the_few_it_is() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 10]);
    (0..10).for_each(|member| table.speak(member, 350.0));
    (4..10).for_each(|member| table.members[member].is_sending = false);
    table.run(200);
    assert_eq!(table.heard_by(9, 50), [0, 1, 2, 3]);
    (0..10).for_each(|member| table.members[member].is_sending = true);
    // The noise takes a while to be known as noise.
    table.run(400);
    assert_eq!(table.heard_by(9, 50), []);
}

#[test]
fn talkers_who_take_turns_make_no_click() {
    for rate in [HZ8, HZ48] {
        let mut table = Table::new(2);
        table.seat(&[rate; 8]);
        // So low that whatever steps are there are those of cuts.
        (0..8).for_each(|member| table.members[member].pitch = 60.0 + 10.0 * member as f64);
        for turn in 0..40 {
            let speaker = turn * 3 % 7;
            table.slide(speaker, SPOKEN);
            table.run(7 + turn % 5);
            table.slide((turn * 3 + 4) % 7, SPOKEN / 10.0);
        }
        // No more than three fade over each other, each in a ramp of forty samples or more.
        let roughness = table.roughness(7, &[(6, SPOKEN), (5, SPOKEN), (4, SPOKEN)]);
        assert!(roughness < 1.3, "{rate:?}: {roughness}");
    }
}

type Change = fn(&mut Table);

#[test]
fn coming_and_going_makes_no_click() {
    let changes: [(&str, Change); 8] = [
        ("leaves", |table| {
            let id = table.members[0].id;
            table.mixer.leave(id);
            table.members[0].is_sending = false;
        }),
        ("stops without a word", |table| table.members[0].is_sending = false),
        ("is muted", |table| {
            let id = table.members[0].id;
            table.mixer.set_muted(id, true);
        }),
        ("is muted and unmuted", |table| {
            let id = table.members[0].id;
            table.mixer.set_muted(id, true);
            table.run(1);
            table.mixer.set_muted(id, false);
        }),
        ("speaks to others", |table| table.route(0, true, Some(&[3]))),
        ("leaves the group", |table| table.route(0, false, None)),
        ("changes its codec", |table| {
            let id = table.members[0].id;
            let before = table.members[0].rate;
            let rate = if before == HZ16 { HZ8 } else { HZ16 };
            table.members[0].rate = rate;
            table.mixer.set_converters(id, Box::new(Converters::new(rate)));
            table.members[0].heard.clear();
        }),
        ("comes", |table| {
            let rate = table.members[0].rate;
            table.seat(&[rate]);
            table.speak(4, SPOKEN);
        }),
    ];
    for rate in [HZ8, HZ16, HZ48] {
        for (name, change) in changes {
            let mut table = Table::new(4);
            table.seat(&[rate; 4]);
            table.speak(0, SPOKEN);
            table.speak(1, SPOKEN);
            // The cut lies at a peak of the sound, where it would click most.
            table.members[0].pitch = 312.5;
            table.run(21);
            change(&mut table);
            table.run(5);
            for listener in 1..table.members.len() {
                let speakers: Vec<_> = [0, 1, 4].into_iter().filter(|n| *n < table.members.len()).collect();
                let speakers: Vec<_> = speakers.into_iter().map(|speaker| (speaker, SPOKEN)).collect();
                let roughness = table.roughness(listener, &speakers);
                assert!(roughness < 1.15, "{name} at {rate:?}, heard by {listener}: {roughness}");
            }
        }
    }
}

#[test]
fn one_who_leaves_hears_the_others_fade() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 2]);
    table.members[0].pitch = 312.5;
    table.speak(0, SPOKEN);
    table.run(21);
    let id = table.members[1].id;
    table.mixer.leave(id);
    table.run(1);
    let heard = &table.members[1].heard;
    assert!(table.roughness(1, &[(0, SPOKEN)]) < 1.15);
    assert!(rms(&heard[21 * 160..21 * 160 + 20]) > 1_000.0);
    assert!(heard[21 * 160 + 40..].iter().all(|x| *x == 0));
    assert!(table.mixer.poll_left().is_none());
    table.mixer.begin_round();
    assert!(table.mixer.poll_left().is_some());
}

#[test]
fn four_who_shout_do_not_clip() {
    for rate in [HZ8, HZ48] {
        let mut table = Table::new(4);
        table.seat(&[rate; 5]);
        (0..4).for_each(|member| table.speak(member, 31_000.0));
        table.run(50);
        let heard = &table.members[4].heard;
        assert!(heard.iter().all(|x| x.unsigned_abs() < 32_767));
        // All of them are there, equally, and hardly anything else is.
        let late = &heard[20 * rate.frame_samples()..];
        let shares: Vec<f64> = (0..4).map(|speaker| table.share(4, speaker, 30)).collect();
        assert!(shares.iter().all(|share| (6_800.0..7_700.0).contains(share)), "{shares:?}");
        let wanted = shares.iter().map(|share| share * share / 2.0).sum::<f64>().sqrt();
        assert!((rms(late) / wanted - 1.0).abs() < 0.01, "{} for {wanted}", rms(late));
        // Who is left alone is as loud as before, after a while.
        (1..4).for_each(|member| table.speak(member, 0.0));
        table.run(60);
        assert!(table.share(4, 0, 10) > 30_000.0);
    }
}

#[test]
fn shouting_does_not_make_the_soft_ones_softer() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 4]);
    table.speak(0, 32_000.0);
    table.speak(1, 32_000.0);
    table.speak(2, 3_000.0);
    table.run(50);
    let shares = [0, 1, 2].map(|speaker| table.share(3, speaker, 30));
    assert!((shares[2] - 3_000.0).abs() < 60.0 && (shares[0] - shares[1]).abs() < 100.0, "{shares:?}");
    assert!(shares[0] > 12_000.0, "{shares:?}");
}

#[test]
fn a_private_route_is_heard_by_those_it_names_and_nobody_else() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 5]);
    (0..2).for_each(|member| table.speak(member, SPOKEN));
    table.route(0, true, Some(&[3, 0]));
    table.run(30);
    assert_eq!(
        [1, 2, 3, 4].map(|listener| table.heard_by(listener, 20)),
        [vec![], vec![1], vec![0, 1], vec![1]]
    );
    assert_eq!(table.heard_by(0, 20), [1]);
    table.route(0, true, None);
    table.run(30);
    assert_eq!(table.heard_by(2, 20), [0, 1]);
}

#[test]
fn one_outside_the_default_group_hears_only_those_that_name_it() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 4]);
    (0..4).for_each(|member| table.speak(member, SPOKEN));
    table.route(3, false, None);
    table.run(30);
    assert_eq!([0, 3].map(|listener| table.heard_by(listener, 20)), [vec![1, 2], vec![]]);
    table.route(1, true, Some(&[3]));
    table.route(3, false, Some(&[2]));
    table.run(30);
    assert_eq!(
        [0, 1, 2, 3].map(|listener| table.heard_by(listener, 20)),
        [vec![2], vec![0, 2], vec![0, 3], vec![1]]
    );
}

#[test]
fn prompts_are_heard_by_all_whoever_speaks() {
    let mut table = Table::new(2);
    table.seat(&[HZ8, HZ8, HZ8, HZ8, HZ16, HZ16]);
    (0..4).for_each(|member| table.speak(member, 2.0 * SPOKEN));
    for prompt in [4, 5] {
        table.members[prompt].is_prompt = true;
        table.speak(prompt, 1_000.0);
    }
    table.run(30);
    for listener in 0..4 {
        let heard = table.heard_by(listener, 20);
        assert!(heard.contains(&4) && heard.contains(&5), "{heard:?} by {listener}");
    }
    assert!(!table.heard_by(4, 20).contains(&4) && table.heard_by(4, 20).contains(&5));
    table.members[4].is_sending = false;
    table.run(30);
    assert!(!table.heard_by(0, 20).contains(&4));
}

/// A listener, twice as many voices as are heard at once, and more prompts than there are places; the prompts play.
fn a_table_full_of_prompts(max_talkers: usize) -> (Table, std::ops::Range<usize>) {
    let mut table = Table::new(max_talkers);
    let prompts = 1 + 2 * max_talkers..21 + 2 * max_talkers;
    table.seat(&vec![HZ16; prompts.end]);
    for prompt in prompts.clone() {
        table.members[prompt].is_prompt = true;
        table.speak(prompt, 400.0);
    }
    table.run(30);
    (table, prompts)
}

#[test]
fn prompts_leave_places_for_all_talkers_and_for_those_who_take_over() {
    for max_talkers in [1, 4, 6] {
        let (mut table, prompts) = a_table_full_of_prompts(max_talkers);
        let (first, second) = (1..=max_talkers, max_talkers + 1..=2 * max_talkers);

        first.clone().for_each(|voice| table.speak(voice, 1_000.0));
        table.run(20);
        assert_eq!(table.heard_by(0, 10), first.clone().chain(prompts.clone()).collect::<Vec<_>>());

        first.for_each(|voice| table.speak(voice, 0.0));
        second.clone().for_each(|voice| table.speak(voice, 3_000.0));
        table.run(3);
        assert_eq!(table.heard_by(0, 2), second.chain(prompts).collect::<Vec<_>>());
    }
}

#[test]
fn prompts_that_share_a_place_are_heard_by_all_but_each_other() {
    let (mut table, prompts) = a_table_full_of_prompts(4);
    let all: Vec<usize> = prompts.clone().collect();
    let (own, sharing) = all.split_at(7);

    assert_eq!(table.heard_by(0, 20), all);
    assert_eq!(table.heard_by(own[0], 20), all[1..]);
    assert_eq!(table.heard_by(sharing[0], 20), own);

    table.members[own[1]].is_sending = false;
    table.members[sharing[1]].is_sending = false;
    table.mixer.set_muted(table.members[sharing[2]].id, true);
    table.run(30);
    let left: Vec<usize> =
        prompts.filter(|prompt| ![own[1], sharing[1], sharing[2]].contains(prompt)).collect();
    assert_eq!(table.heard_by(0, 20), left);
    assert_eq!(table.heard_by(sharing[1], 20), left);

    sharing.iter().for_each(|prompt| table.members[*prompt].is_sending = false);
    table.run(30);
    assert_eq!(table.heard_by(0, 20), [own[0], own[2], own[3], own[4], own[5], own[6]]);
    table.members[sharing[0]].is_sending = true;
    table.run(30);
    assert!(table.heard_by(sharing[0], 20).contains(&own[6]) && table.heard_by(0, 20).contains(&sharing[0]));
}

#[test]
fn prompts_of_any_rate_share_a_place() {
    let mut table = Table::new(6);
    table.seat(&[HZ8, HZ48, HZ48, HZ8, HZ16, HZ8, HZ16, HZ48]);
    for prompt in 2..8 {
        table.members[prompt].is_prompt = true;
        table.speak(prompt, 2_000.0);
    }
    table.run(30);
    for (listener, speaker) in [0, 1].into_iter().flat_map(|listener| (2..8).map(move |n| (listener, n))) {
        let share = table.share(listener, speaker, 20);
        assert!((share - 2_000.0).abs() < 80.0, "{share} of {speaker} in {listener}");
    }
}

#[test]
fn private_prompts_leave_a_place_for_those_of_all() {
    let mut table = Table::new(6);
    table.seat(&[HZ16; 12]);
    for prompt in 1..11 {
        table.members[prompt].is_prompt = true;
        table.speak(prompt, 1_000.0);
        table.route(prompt, true, Some(&[11]));
    }
    table.route(10, true, None);
    table.run(30);
    assert_eq!(table.heard_by(0, 20), [10]);
    assert_eq!(table.heard_by(11, 20), [1, 2, 3, 10]);
}

#[test]
fn a_muted_one_is_not_heard_and_does_not_lead() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 3]);
    table.speak(0, SPOKEN);
    table.run(30);
    assert_eq!(table.mixer.dominant(), Some(0));
    let id = table.members[0].id;
    table.mixer.set_muted(id, true);
    assert_eq!(table.mixer.dominant(), None);
    table.run(30);
    assert_eq!(table.heard_by(1, 20), []);
    table.mixer.set_muted(id, false);
    table.run(30);
    assert_eq!((table.heard_by(1, 20), table.mixer.dominant()), (vec![0], Some(0)));
}

#[test]
fn the_dominant_speaker_is_the_one_who_has_the_word() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 6]);
    let mut led = Vec::new();
    for speaker in [2, 4, 1, 4] {
        table.speak(speaker, SPOKEN);
        table.run(60);
        led.push(table.mixer.dominant());
        // A word in between by somebody else.
        table.speak(0, SPOKEN / 2.0);
        table.run(10);
        led.push(table.mixer.dominant());
        table.speak(0, 0.0);
        table.speak(speaker, 0.0);
    }
    assert_eq!(led, [2, 2, 4, 4, 1, 1, 4, 4].map(Some));
    table.run(150);
    assert_eq!(table.mixer.dominant(), None);
}

#[test]
fn places_are_given_out_again_and_no_more_than_there_are() {
    let mut mixer = Mixer::new(3, 2);
    let seat = |name| Box::new(Seat::new(name, Some(HZ8), Audience::default(), false));
    let first = mixer.join(seat(0)).unwrap();
    mixer.join(seat(1)).unwrap();
    mixer.join(seat(2)).unwrap();
    assert!(mixer.join(seat(3)).is_err());
    mixer.leave(first);
    let fourth = mixer.join(seat(3)).unwrap();
    assert_eq!(mixer.poll_left().map(|(id, seat)| (id, seat.name())), Some((first, 0)));
    // Who is gone does not act for who has its place.
    mixer.leave(first);
    assert!(mixer.join(seat(4)).is_err());
    mixer.leave(fourth);
    assert!(mixer.join(seat(4)).is_ok());
}

#[test]
fn after_a_rest_all_begins_softly_and_who_left_is_gone() {
    let mut table = Table::new(4);
    table.seat(&[HZ8; 3]);
    table.members[0].pitch = 312.5;
    table.speak(0, SPOKEN);
    table.run(21);
    let id = table.members[2].id;
    table.mixer.leave(id);
    table.mixer.rest();
    assert!(table.mixer.poll_left().is_some());
    assert_eq!(table.mixer.dominant(), None);
    table.members.pop();
    table.members[1].heard.clear();
    table.run(5);
    assert!(table.roughness(1, &[(0, SPOKEN)]) < 1.15);
    assert_eq!(table.heard_by(1, 3), [0]);
}
