//! Sockets go and come back; the audio goes on.

use std::time::Duration;

use app_media::{Cause, Config, Dialect, Format, Lost, State};
use futures_util::StreamExt;
use media_engine::SampleRate;
use serde_json::json;
use tokio::time::Instant;

use crate::stage::{Stage, octets};

fn config() -> Config {
    Config::new(Format { dialect: Dialect::Hookswitch, ..Format::default() }, "the call")
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_said_by_the_next_socket_and_nothing_meanwhile() {
    let stage = Stage::new(config(), SampleRate::Hz16000);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send_binary(octets(&(1..=16_000).collect::<Vec<i16>>())).await;
    app.send(json!({"kind": "Mark", "name": "end"})).await;
    let before = stage.thread.rest(10).await;
    drop(app);
    let mut state = stage.handle.state();
    state.wait_for(|state| *state == State::Detached(Lost::Broken)).await.unwrap();
    let meanwhile = stage.thread.rest(50).await;
    let mut app = stage.dial_in().await;
    assert_eq!(app.control().await["kind"], "AudioMetadata");
    let after = stage.thread.rest(50).await;
    // Only what the media thread already had was still heard.
    assert!(meanwhile[5 * 320..].iter().all(|x| *x == 0));
    let all = before.into_iter().chain(meanwhile).chain(after).filter(|x| *x != 0);
    assert!(all.eq(1..=16_000));
    assert_eq!(app.control().await, json!({"kind": "MarkReached", "name": "end", "heardMs": 1000}));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_dropped_where_it_is_not_to_be_kept() {
    let stage = Stage::new(Config { keeps_queue: false, ..config() }, SampleRate::Hz16000);
    let mut app = stage.dial_in().await;
    app.control().await;
    app.send_binary(octets(&[9; 16_000])).await;
    app.send(json!({"kind": "Mark", "name": "end"})).await;
    stage.thread.rest(10).await;
    drop(app);
    let mut state = stage.handle.state();
    state.wait_for(|state| *state == State::Detached(Lost::Broken)).await.unwrap();
    let mut app = stage.dial_in().await;
    assert_eq!(app.control().await["kind"], "AudioMetadata");
    assert_eq!(app.control().await["kind"], "MarkCleared");
    assert_eq!(app.control().await["kind"], "Cleared");
    assert!(stage.thread.rest(10).await.iter().all(|x| *x == 0));
}

#[tokio::test(start_paused = true)]
async fn a_close_by_the_application_is_answered_and_it_may_come_back() {
    for is_dialled in [false, true] {
        let stage = Stage::new(config(), SampleRate::Hz16000);
        let mut app = if is_dialled { stage.dial_out().await } else { stage.dial_in().await };
        app.control().await;
        app.0.close(None).await.unwrap();
        let mut state = stage.handle.state();
        let closed = State::Detached(Lost::Closed { code: None, reason: String::new() });
        state.wait_for(|state| *state == closed).await.unwrap();
        // The close is answered, and the stream ends.
        while let Some(message) = app.0.next().await {
            message.unwrap();
        }
        let mut app = stage.dial_in().await;
        assert_eq!(app.control().await["kind"], "AudioMetadata");
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_come_or_come_back_in_time_is_given_up() {
    let began = Instant::now();
    let never = Stage::new(config(), SampleRate::Hz16000);
    assert_eq!(never.ended().await.cause, Cause::Abandoned(None));
    assert_eq!(began.elapsed().as_secs(), 60);

    let lost = Stage::new(config(), SampleRate::Hz16000);
    drop(lost.dial_in().await);
    let began = Instant::now();
    assert_eq!(lost.ended().await.cause, Cause::Abandoned(Some(Lost::Broken)));
    assert!(began.elapsed() >= Duration::from_secs(10) && began.elapsed() < Duration::from_secs(11));
}
