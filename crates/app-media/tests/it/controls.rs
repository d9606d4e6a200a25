//! Marks, clear, pause, and what the node tells.

use app_media::{Cause, Closing, Config, Dialect, Event, Format, Person};
use media_engine::SampleRate;
use model::{ParticipantId, Tone};
use serde_json::json;

use crate::stage::{Stage, octets};

const GUID: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";

fn stage(dialect: Dialect) -> Stage {
    let format = Format { dialect, ..Format::default() };
    Stage::new(Config::new(format, "the call"), SampleRate::Hz16000)
}

#[tokio::test(start_paused = true)]
async fn audio_that_comes_at_once_is_said_in_real_time_and_its_mark_is_told_when_it_was_heard() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send_binary(octets(&[9; 16_000])).await;
    app.send(json!({"kind": "Mark", "name": "after a second"})).await;
    let sent = stage.thread.rest(40).await;
    app.send(json!({"kind": "Mark", "name": "the same place"})).await;
    let rest = stage.thread.rest(15).await;
    let loud = |samples: &[i16]| samples.iter().filter(|x| **x == 9).count();
    assert!((38 * 320..=40 * 320).contains(&loud(&sent)), "{}", loud(&sent));
    assert_eq!(loud(&sent) + loud(&rest), 16_000);
    assert_eq!(
        app.control().await,
        json!({"kind": "MarkReached", "name": "after a second", "heardMs": 1000})
    );
    assert_eq!(
        app.control().await,
        json!({"kind": "MarkReached", "name": "the same place", "heardMs": 1000})
    );
}

#[tokio::test(start_paused = true)]
async fn marks_of_azure_sdks_are_reported_in_their_way() {
    let stage = stage(Dialect::Acs);
    let mut app = stage.dial_in().await;
    app.control().await;
    let data = |samples| crate::stage::base64(&vec![1; samples]);
    app.send(json!({"Kind": "AudioData", "AudioData": {"Data": data(320), "Mark": {"Id": "one"}}})).await;
    stage.thread.rest(5).await;
    assert_eq!(
        app.control().await,
        json!({"kind": "MarkData", "markData": {"id": "one", "status": "completed"}})
    );
    app.send(json!({"Kind": "AudioData", "AudioData": {"Data": data(16_000), "Mark": {"Id": "two"}}})).await;
    stage.thread.rest(5).await;
    app.send(json!({"Kind": "StopAudio", "AudioData": null, "StopAudio": {}})).await;
    assert_eq!(
        app.control().await,
        json!({"kind": "MarkData", "markData": {"id": "two", "status": "cancelled"}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_clear_silences_at_once_and_tells_what_was_not_heard() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send_binary(octets(&[9; 32_000])).await;
    app.send(json!({"kind": "Mark", "name": "end"})).await;
    stage.thread.rest(51).await;
    app.send(json!({"kind": "Clear"})).await;
    let cleared = app.control().await;
    assert_eq!(cleared, json!({"kind": "MarkCleared", "name": "end", "heardMs": cleared["heardMs"]}));
    let told = app.control().await;
    let heard_ms = told["heardMs"].as_u64().unwrap();
    assert!((980..=1020).contains(&heard_ms), "{told}");
    assert_eq!(told, json!({"kind": "Cleared", "droppedMs": 2000 - heard_ms, "heardMs": heard_ms}));
    assert!(stage.thread.rest(10).await.iter().all(|x| *x == 0));
    app.send_binary(octets(&[5; 640])).await;
    assert_eq!(stage.thread.rest(10).await.iter().filter(|x| **x == 5).count(), 640);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_what_waits_and_resume_goes_on_there() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send(json!({"kind": "Pause"})).await;
    app.send_binary(octets(&(1..=3200).collect::<Vec<i16>>())).await;
    app.send(json!({"kind": "Mark", "name": "end"})).await;
    assert!(stage.thread.rest(20).await.iter().all(|x| *x == 0));
    app.send(json!({"kind": "Resume"})).await;
    let sent = stage.thread.rest(20).await;
    assert!(sent.into_iter().filter(|x| *x != 0).eq(1..=3200));
    assert_eq!(app.control().await["kind"], "MarkReached");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_odd_number_of_samples_is_said_with_silence_after_it_even_where_nothing_is_heard() {
    let stage = stage(Dialect::Acs);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.say(&[9; 100]).await;
    let sent = stage.thread.idle(6).await;
    let start = sent.iter().position(|x| *x == 9).expect("it is said");
    assert_eq!(start % 320, 0);
    assert_eq!(
        (&sent[start..][..100], &sent[start + 100..]),
        (&[9; 100][..], &vec![0; sent.len() - start - 100][..])
    );
}

#[tokio::test(start_paused = true)]
async fn rosters_speakers_and_keys_are_told_in_order_and_again_to_the_next_socket() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.control().await;
    let john = Person { participant: ParticipantId::parse(GUID).unwrap(), source_id: 7 };
    let person = json!({"participantId": GUID, "sourceId": "7"});
    stage.handle.tell(Event::Roster(vec![john])).await.unwrap();
    stage.handle.tell(Event::DominantSpeaker(Some(john.participant))).await.unwrap();
    let tone = Event::Tone { tone: Tone::Star, participant: Some(john.participant) };
    stage.handle.tell(tone).await.unwrap();
    assert_eq!(app.control().await, json!({"kind": "Roster", "participants": [person]}));
    assert_eq!(
        app.control().await,
        json!({"kind": "DominantSpeaker", "participantId": GUID, "sourceId": "7"})
    );
    let key = json!({"data": "*", "tone": "star", "participantId": GUID});
    assert_eq!(app.control().await, json!({"kind": "DtmfData", "dtmfData": key}));
    let mut newer = stage.dial_in_from(Some("wss://here/again")).await;
    let ours = &newer.control().await["hookswitch"];
    assert_eq!(ours["participants"], json!([person]));
    assert_eq!(ours["dominantSpeaker"], person);
    assert_eq!(ours["resumeUrl"], "wss://here/again");
    assert_eq!(app.closed().await, (1008, "another socket took over".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_call_closes_the_socket_after_what_was_told_before() {
    for is_dialled in [false, true] {
        let stage = stage(Dialect::Acs);
        let mut app = if is_dialled { stage.dial_out().await } else { stage.dial_in().await };
        app.control().await;
        stage.handle.tell(Event::Tone { tone: Tone::Digit(1), participant: None }).await.unwrap();
        stage.handle.close(Closing::CALL_ENDED).await.unwrap();
        assert_eq!(app.control().await, json!({"kind": "DtmfData", "dtmfData": {"data": "1"}}));
        assert_eq!(app.closed().await, (1000, "the call has ended".to_owned()));
        drop(app);
        assert_eq!(stage.ended().await.cause, Cause::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_media_thread_that_has_nothing_more_to_say_ends_it() {
    let stage = stage(Dialect::Acs);
    let mut app = stage.dial_in().await;
    stage.thread.close();
    assert_eq!(app.closed().await.0, 1000);
    drop(app);
    assert_eq!(stage.ended().await.cause, Cause::PortClosed);
}
