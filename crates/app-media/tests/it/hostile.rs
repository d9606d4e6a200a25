//! Applications that do what they must not: they are told why, and nothing grows.

use std::time::Duration;

use app_media::{Cause, Config, Dialect, Format, Lost, MAX_MESSAGE_OCTETS, State, Violation};
use futures_util::SinkExt;
use media_engine::SampleRate;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::stage::{App, Stage, octets};

fn stage(dialect: Dialect) -> Stage {
    let format = Format { dialect, ..Format::default() };
    Stage::new(Config::new(format, "the call"), SampleRate::Hz16000)
}

async fn refusal(dialect: Dialect, message: Message) -> (u16, String) {
    let stage = stage(dialect);
    let mut app = stage.dial_in().await;
    app.0.send(message).await.unwrap();
    app.closed().await
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let audio =
        |data: &str| Message::text(json!({"kind": "AudioData", "audioData": {"data": data}}).to_string());
    let rate = json!({"kind": "AudioMetadata", "audioMetadata": {"sampleRate": 44100}}).to_string();
    let not_utf8 = Frame::message(vec![0xC3, 0x28], OpCode::Data(Data::Text), true);
    let rows = [
        (Dialect::Acs, audio("!!!!"), 1007, "audio is not base64"),
        (Dialect::Acs, audio("AAAA"), 1007, "3 octets are no whole number of 16-bit samples"),
        (
            Dialect::Acs,
            Message::text("{"),
            1007,
            "malformed JSON: EOF while parsing an object at line 1 column 1",
        ),
        (Dialect::Acs, Message::binary(vec![0; 640]), 1003, "the dialect acs carries audio as text"),
        (Dialect::Acs, Message::text(rate), 1003, "sampleRate is 44100; this socket carries 16000"),
        (Dialect::Acs, Message::text(r#"{"kind":"Fax"}"#), 1003, "the dialect has no message 'Fax'"),
        (Dialect::Acs, Message::Frame(not_utf8), 1007, "a text message is not UTF-8"),
        (
            Dialect::Hookswitch,
            Message::binary(vec![0; 641]),
            1007,
            "641 octets are no whole number of 16-bit samples",
        ),
        (
            Dialect::Hookswitch,
            Message::binary(vec![0; MAX_MESSAGE_OCTETS + 2]),
            1009,
            "a message of more than 1048576 octets",
        ),
    ];
    for (dialect, message, code, reason) in rows {
        assert_eq!(refusal(dialect, message).await, (code, reason.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn octets_that_are_no_frames_are_refused() {
    let stage = stage(Dialect::Acs);
    let mut app = stage.dial_in().await;
    app.0.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let (code, reason) = app.closed().await;
    assert_eq!(code, 1002, "{reason}");
}

#[tokio::test(start_paused = true)]
async fn more_than_two_minutes_of_audio_are_refused() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    for _ in 0..121 {
        if app.0.send(Message::binary(octets(&[1; 16_000]))).await.is_err() {
            break;
        }
    }
    assert_eq!(app.closed().await, (1009, "more than 120 s of audio wait to be heard".to_owned()));
    // Until the next tick it is clear that the media thread was not given more than it had room for.
    assert!(stage.thread.tick(0, &[]).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_is_refused_and_takes_turns_with_others() {
    let (flooded, other) = (stage(Dialect::Hookswitch), stage(Dialect::Hookswitch));
    let (mut flood, mut app) = (flooded.dial_in().await, other.dial_in().await);
    let flooding = tokio::spawn(async move {
        while flood.0.send(Message::text(r#"{"kind":"Resume"}"#)).await.is_ok() {}
        flood.closed().await
    });
    app.control().await;
    app.send_binary(octets(&[3; 320])).await;
    app.send(json!({"kind": "Mark", "name": "heard"})).await;
    other.thread.rest(5).await;
    assert_eq!(app.control().await["kind"], "MarkReached");
    assert_eq!(flooding.await.unwrap(), (1008, "too many messages".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn too_many_marks_are_refused() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.send_binary(octets(&[1; 160_000])).await;
    for _ in 0..300 {
        if app.0.send(Message::text(r#"{"kind":"Mark","name":"x"}"#)).await.is_err() {
            break;
        }
    }
    assert_eq!(app.closed().await, (1008, "more than 256 marks wait to be heard".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_loses_the_oldest_audio_then_its_socket() {
    let mut config = Config::new(Format::default(), "the call");
    config.reattach_within = Duration::ZERO;
    let stage = Stage::new(config, SampleRate::Hz16000);
    let app = stage.dial_in().await;
    let mut state = stage.handle.state();
    // Ten seconds of audio and a little, and a pipe that holds less than one.
    stage.thread.rest(600).await;
    state.wait_for(|state| *state == State::Detached(Lost::Violation(Violation::NotReading))).await.unwrap();
    let ended = stage.ended().await;
    assert_eq!(ended.cause, Cause::Abandoned(Some(Lost::Violation(Violation::NotReading))));
    // It held what the pipe, the socket and the bound take, and lost the rest.
    let kept = ended.counts.frames_sent - ended.counts.frames_lost;
    assert!((100..180).contains(&kept), "{:?}", ended.counts);
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_reads_no_answers_to_what_it_asks_loses_its_socket_at_once() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    let began = tokio::time::Instant::now();
    for _ in 0..3000 {
        if app.0.send(Message::text(r#"{"kind":"Mark","name":"x"}"#)).await.is_err() {
            break;
        }
    }
    let mut state = stage.handle.state();
    state.wait_for(|state| *state == State::Detached(Lost::Violation(Violation::NotReading))).await.unwrap();
    // Long before not reading is too long; the farewell that it does not read either takes a second.
    assert!(began.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_reads_again_hears_the_latest_and_all_controls() {
    let stage = stage(Dialect::Hookswitch);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send_binary(octets(&[9; 320])).await;
    app.send(json!({"kind": "Mark", "name": "early"})).await;
    let sent = stage.thread.run(450, |tick| vec![tick as i16; 320]).await;
    assert!(sent.contains(&9));
    let (mut marks, mut last) = (0, 0);
    while last < 449 {
        match app.message().await {
            Message::Text(_) => marks += 1,
            Message::Binary(octets) => {
                let tick = i16::from_le_bytes([octets[32], octets[33]]);
                assert!(tick > last || tick == 0, "{tick} after {last}");
                last = tick;
            }
            Message::Close(_) | Message::Frame(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
    }
    assert_eq!(marks, 1);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_answers_no_pings_loses_its_socket() {
    let stage = stage(Dialect::Acs);
    let app = stage.dial_in().await;
    let mut state = stage.handle.state();
    let silent = State::Detached(Lost::Violation(Violation::Silent));
    // It never reads, so its library never answers; nothing is heard, so nothing waits to be read.
    state.wait_for(|state| *state == silent).await.unwrap();
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_answers_pings_may_be_silent_for_hours() {
    let stage = stage(Dialect::Acs);
    let mut app = stage.dial_in().await;
    let mut state = stage.handle.state();
    state.wait_for(|state| *state == State::Attached).await.unwrap();
    let reading = tokio::spawn(async move { app.closed().await });
    let hours = tokio::time::timeout(Duration::from_hours(3), state.changed()).await;
    assert!(hours.is_err(), "{:?}", *state.borrow());
    stage.handle.close(app_media::Closing::GOING_AWAY).await.unwrap();
    assert_eq!(reading.await.unwrap(), (1001, "the server stops".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_neither_reads_nor_closes_does_not_hold_up_the_end() {
    let stage = stage(Dialect::Acs);
    let app: App = stage.dial_in().await;
    stage.thread.rest(100).await;
    stage.handle.close(app_media::Closing::CALL_ENDED).await.unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(stage.ended().await.cause, Cause::Closed);
    assert!(before.elapsed() <= Duration::from_secs(1));
    drop(app);
}
