//! The media clock allocates nothing. Alone in its file, since it counts the allocations of the process.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use media_engine::Tone;
use media_plane::{
    JobId, JobOutcome, LegId, MemberConfig, MixerConfig, Route, StreamConfig, StreamPort, ToneSound,
};
use rtc_proto::Codec;
use rtc_proto::srtp::Suite;
use support::two::Two;
use support::{Rig, speech};

struct Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The test's own thread, which may allocate.
    static IS_EXEMPT: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if IS_COUNTING.load(Ordering::Relaxed) && !IS_EXEMPT.try_with(Cell::get).unwrap_or(true) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this trait.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this trait.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this trait.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A mixer's members and the legs that they talk to.
struct Meeting {
    members: [LegId; 4],
    phones: [LegId; 4],
    bot: LegId,
    /// An application's, which hears everybody by itself.
    app: StreamPort,
}

/// Lets four phones talk to each other, to a bot, which plays and captures, and to an application; all codecs convert for
/// each other.
fn meeting(rig: &Rig) -> Meeting {
    let mixer = rig.plane.open_mixer(MixerConfig::default(), None).expect("mixer");
    let join = |leg| rig.plane.join(leg, mixer, MemberConfig::default()).expect("join");
    let prompt = speech(2);
    let pairs = [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Opus].map(|codec| {
        let (phone, member) = rig.pair(codec, None);
        join(member.leg);
        rig.plane.play(phone.leg, JobId(1), std::slice::from_ref(&prompt), true).expect("play");
        (member.leg, phone.leg)
    });
    let bot = rig.plane.open_virtual_leg(mixer).expect("bot");
    join(bot);
    rig.plane.play(bot, JobId(1), &[prompt], true).expect("play");
    rig.capture(bot, JobId(9), "allocations-bot");
    let hosted = rig.plane.open_virtual_leg(mixer).expect("application");
    let config = StreamConfig { has_unmixed: true, ..StreamConfig::default() };
    let app = rig.plane.open_stream(hosted, config).expect("stream");
    join(hosted);
    Meeting { members: pairs.map(|pair| pair.0), phones: pairs.map(|pair| pair.1), bot, app }
}

#[test]
fn nothing_is_allocated_while_legs_talk() {
    IS_EXEMPT.with(|exempt| exempt.set(true));
    IS_COUNTING.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| scope.spawn(|| std::hint::black_box(Box::new(1u8))).join()).unwrap();
    IS_COUNTING.store(false, Ordering::SeqCst);
    assert!(ALLOCATIONS.swap(0, Ordering::SeqCst) > 0, "the allocator does not count");
    let mut rig = Rig::new();
    let kinds = [
        (Codec::Pcmu, None),
        (Codec::G722, Some(Suite::AesCm128HmacSha1_80)),
        (Codec::Opus, Some(Suite::AeadAes256Gcm)),
        (Codec::Pcma, Some(Suite::AeadAes128Gcm)),
    ];
    let pairs: Vec<_> = kinds.iter().map(|(codec, suite)| rig.pair(*codec, *suite)).collect();
    let prompt = speech(3);
    for (number, (a, b)) in pairs.iter().enumerate() {
        rig.plane.echo(b.leg, true).unwrap();
        rig.capture(b.leg, JobId(9), &format!("allocations-{number}"));
        rig.plane.play(a.leg, JobId(1), std::slice::from_ref(&prompt), true).unwrap();
    }
    let (far, near) = rig.piped_pair(Codec::Opus, None);
    rig.plane.echo(near, true).unwrap();
    rig.plane.play(far, JobId(1), std::slice::from_ref(&prompt), true).unwrap();
    let (first, _) = pairs[0];
    let mut meeting = meeting(&rig);
    let mut two = Two::new();
    let mut movers = [Codec::Pcmu, Codec::Opus].map(|codec| {
        let (phone, leg) = two.rig.pair(codec, Some(Suite::AeadAes128Gcm));
        two.rig.plane.play(phone.leg, JobId(1), std::slice::from_ref(&prompt), true).unwrap();
        leg.leg
    });
    let lap =
        |length| ToneSound { frequency_hz: 1.0, amplitude: 1, duration: Some(Duration::from_millis(length)) };
    rig.plane.play_tone(first.leg, JobId(2), lap(200)).unwrap();
    assert_eq!(rig.job_done(first.leg, JobId(2)), JobOutcome::Completed);

    IS_COUNTING.store(true, Ordering::SeqCst);
    for (a, _) in &pairs {
        rig.plane.send_tones(a.leg, JobId(3), &[Tone::Tone5, Tone::Pound], 60).unwrap();
    }
    meeting.app.comfort().set(true);
    while meeting.app.say([9; _]) {}
    for (number, member) in meeting.members.into_iter().enumerate() {
        rig.plane.send_tones(meeting.phones[number], JobId(3), &[Tone::Tone1], 60).unwrap();
        rig.plane.set_muted(member, number == 0).unwrap();
        let audience = (number == 1).then(|| vec![meeting.bot, meeting.members[2]]);
        rig.plane.set_route(member, Route { is_in_default_group: true, audience }).unwrap();
    }
    for _ in 0..10 {
        for leg in &mut movers {
            let moved = two.across(*leg);
            two.join(moved);
            two.speak(moved, 400.0);
            *leg = moved;
        }
        two.pass(Duration::from_millis(60));
    }
    rig.plane.play_tone(first.leg, JobId(5), lap(300)).unwrap();
    assert_eq!(rig.job_done(first.leg, JobId(5)), JobOutcome::Completed);
    rig.plane.leave(meeting.members[3]).unwrap();
    rig.plane.play_tone(meeting.members[2], JobId(6), lap(400)).unwrap();
    // Longer than the longest time between reports.
    rig.plane.play_tone(first.leg, JobId(4), lap(7_600)).unwrap();
    assert_eq!(rig.job_done(first.leg, JobId(4)), JobOutcome::Completed);
    IS_COUNTING.store(false, Ordering::SeqCst);

    assert_eq!(ALLOCATIONS.load(Ordering::SeqCst), 0);
    assert!(std::iter::from_fn(|| meeting.app.next_heard()).any(|heard| heard.source.is_some()));
    let stats = rig.close(first.leg);
    assert!(stats.round_trip_us.is_some() || stats.receiver.received > 300, "{stats:?}");
}
