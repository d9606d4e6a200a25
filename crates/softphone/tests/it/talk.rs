//! Telephones that call each other, without a server: real sockets, real sound.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_engine::analysis::speech_like;
use sip_message::{NameAddr, Uri};
use sip_proto::Transport;
use softphone::{
    Action, FailureKind, HeardSound, Moment, Outcome, Place, Plan, Report, Setup, Sound, Step, keys, run,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn plan(actions: Vec<Action>) -> Plan {
    let steps = actions.into_iter().map(|action| Step { label: format!("{action:.8?}"), action }).collect();
    Plan { steps, hang_up_after: None, expect_timeout: Duration::from_secs(20), expected_refusal: None }
}

fn setup(server: SocketAddr, place: Place, actions: Vec<Action>) -> Setup {
    Setup {
        server,
        transport: Transport::Udp,
        aor: NameAddr::new(Uri::sip("john", server.ip())),
        credentials: None,
        registers: false,
        place,
        plan: plan(actions),
        heard: HeardSound::new(Duration::from_secs(60)),
    }
}

fn passed(report: &Report) {
    assert!(report.has_passed(), "{report:?}");
    assert!(report.steps.iter().all(|step| matches!(step.outcome, Outcome::Met { .. })), "{report:?}");
}

/// What became of a call between two telephones.
struct Talk {
    waiting: Report,
    calling: Report,
    /// What the one that waits has told.
    told: Vec<String>,
    /// What the one that calls has heard.
    heard: Vec<u8>,
}

/// One telephone waits, the other one calls it, and each does its part.
async fn talk(waiting: Vec<Action>, calling: Vec<Action>) -> Talk {
    let (tell, mut told) = mpsc::unbounded_channel();
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let waits = setup(nowhere, Place::Wait(Duration::from_secs(20)), waiting);
    let waits = tokio::spawn(run(waits, CancellationToken::new(), move |moment: &Moment| {
        let _ = tell.send(moment.text.clone());
    }));
    let first = told.recv().await.unwrap();
    let to: SocketAddr = first.rsplit(' ').next().unwrap().parse().unwrap();
    let uri = Uri::sip("mary", to.ip()).with_port(Some(to.port()));
    let calls = setup(to, Place::Dial(uri), calling);
    let heard = calls.heard.clone();
    let calling = run(calls, CancellationToken::new(), |_| {}).await.unwrap();
    let waiting = waits.await.unwrap().unwrap();
    let mut all = Vec::new();
    while let Ok(text) = told.try_recv() {
        all.push(text);
    }
    Talk { waiting, calling, told: all, heard: heard.wav() }
}

fn speech() -> Arc<Sound> {
    Arc::new(Sound::from_samples(speech_like(16_000, 40_000), 16_000).unwrap())
}

fn one_and_pound() -> Vec<media_engine::Tone> {
    keys("1#").unwrap()
}

#[tokio::test]
async fn two_telephones_hear_tones_sound_and_keys_of_each_other() {
    let talk = talk(
        vec![
            Action::Tone { hz: 440, length: Duration::from_secs(1) },
            Action::ExpectDtmf(one_and_pound()),
            Action::Say(speech()),
            Action::Pause(Duration::from_secs(20)),
        ],
        vec![
            Action::ExpectTone { hz: 440 },
            Action::Dtmf(one_and_pound()),
            Action::ExpectSound { sound: speech(), within: None },
        ],
    )
    .await;
    passed(&talk.calling);
    let failure = talk.waiting.failure.unwrap();
    assert!(failure.text.starts_with("the far end hung up before"), "{failure}");
    let heard = media_engine::read_wav(&talk.heard, &media_engine::WavLimits::PROMPT).unwrap();
    let known = speech_like(16_000, 40_000);
    let share = media_engine::analysis::share_heard(&known, &heard.samples, heard.rate_hz);
    assert!(share > 0.8, "only {share:.2} is in what was heard");
}

#[tokio::test]
async fn a_telephone_is_held_and_taken_back_and_hears_afterwards() {
    let talk = talk(
        vec![Action::ExpectTone { hz: 440 }],
        vec![
            Action::Hold(Duration::from_millis(300)),
            Action::Tone { hz: 440, length: Duration::from_secs(20) },
        ],
    )
    .await;
    passed(&talk.waiting);
    assert!(matches!(talk.calling.steps[0].outcome, Outcome::Met { .. }), "{:?}", talk.calling);
    assert!(talk.told.iter().any(|text| text == "the far end holds the call"), "{:?}", talk.told);
}

#[tokio::test]
async fn both_hold_each_other_at_once_and_both_come_through() {
    let hold = || vec![Action::Hold(Duration::from_millis(100)), Action::Pause(Duration::from_secs(1))];
    let talk = talk(hold(), hold()).await;
    for report in [talk.waiting, talk.calling] {
        assert!(matches!(report.steps[0].outcome, Outcome::Met { .. }), "{report:?}");
    }
}

#[tokio::test]
async fn a_telephone_declines_to_call_whom_the_far_end_names() {
    let to = "sip:bob@b.example".parse().unwrap();
    let talk = talk(vec![], vec![Action::Transfer(to)]).await;
    let failure = talk.calling.failure.unwrap();
    assert_eq!(failure.text, "the far end refuses the transfer: declined (603)");
    assert!(talk.waiting.has_passed(), "{:?}", talk.waiting);
    assert!(
        talk.told.iter().any(|text| text.contains("sip:bob@b.example, which is declined")),
        "{:?}",
        talk.told
    );
}

#[tokio::test]
async fn nobody_there_and_nobody_calling_are_named() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let waits = setup(nowhere, Place::Wait(Duration::from_millis(50)), vec![]);
    let report = run(waits, CancellationToken::new(), |_| {}).await.unwrap();
    let failure = report.failure.unwrap();
    assert_eq!((failure.kind, failure.text.as_str()), (FailureKind::NobodyCalled, "nobody called in time"));

    // A connection is refused at once, where datagrams have to be waited for.
    let dials = setup(nowhere, Place::Dial("sip:mary@127.0.0.1".parse().unwrap()), vec![]);
    let dials = Setup { transport: Transport::Tcp, ..dials };
    let failure = run(dials, CancellationToken::new(), |_| {}).await.unwrap().failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
}

#[tokio::test]
async fn a_telephone_that_is_told_to_stop_stops() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let waits = setup(nowhere, Place::Wait(Duration::from_secs(3600)), vec![]);
    let report = run(waits, stop, move |_| stopped.cancel()).await.unwrap();
    assert_eq!(report.failure.unwrap().kind, FailureKind::Interrupted);
}
