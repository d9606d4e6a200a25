//! What is heard goes out, and what comes back is said.

use app_media::{BINARY_HEADER_OCTETS, Channels, Config, Dialect, Format, Rate, Source};
use futures_util::{SinkExt, StreamExt};
use media_engine::SampleRate;
use media_engine::analysis::{amplitude_at, sine};
use model::ParticipantId;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::stage::{App, START_48K, Stage, from_base64, octets, samples};

/// Ticks of the longest way there and back; it is shorter where the application is quick.
const DELAY: usize = 4;
const TICKS: usize = 100;

fn config(dialect: Dialect, rate: Rate) -> Config {
    Config::new(Format { dialect, rate, channels: Channels::Mixed }, "the call")
}

/// Sends back what it hears, cut into other pieces, until the socket is closed.
async fn echo(mut app: App, piece: usize) {
    let mut waiting = Vec::new();
    while let Some(Ok(message)) = app.0.next().await {
        let heard = match message {
            Message::Binary(octets) => samples(&octets[BINARY_HEADER_OCTETS..]),
            Message::Text(text) => {
                let value: Value = serde_json::from_str(&text).unwrap();
                let Some(data) = value["audioData"]["data"].as_str() else { continue };
                from_base64(data)
            }
            Message::Close(_) | Message::Frame(_) | Message::Ping(_) | Message::Pong(_) => continue,
        };
        waiting.extend(heard);
        while waiting.len() >= piece {
            let back: Vec<i16> = waiting.drain(..piece).collect();
            let sent = if piece.is_multiple_of(2) {
                app.0.send(Message::binary(octets(&back))).await
            } else {
                let audio = json!({"kind": "AudioData", "audioData": {"data": crate::stage::base64(&back)}});
                app.0.send(Message::text(audio.to_string())).await
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// Different in every sample.
fn ramp(tick: usize, length: usize) -> Vec<i16> {
    (0..length).map(|n| ((tick * length + n) * 7 % 60_000) as i16).collect()
}

/// What is left of a stream after silence.
fn spoken(samples: &[i16]) -> &[i16] {
    let start = samples.iter().position(|x| *x != 0).expect("something was said");
    &samples[start..]
}

#[tokio::test(start_paused = true)]
async fn an_echo_brings_back_every_sample_in_order_at_the_rate_of_the_media_thread() {
    for (rate, thread_rate) in [(Rate::Hz16000, SampleRate::Hz16000), (Rate::Hz48000, SampleRate::Hz48000)] {
        for dialect in [Dialect::Acs, Dialect::Hookswitch] {
            for is_dialled in [false, true] {
                let stage = Stage::new(config(dialect, rate), thread_rate);
                let app = if is_dialled { stage.dial_out().await } else { stage.dial_in().await };
                // An odd number of samples makes it JSON, which both dialects take.
                let piece = if dialect == Dialect::Acs { 321 } else { 322 };
                tokio::spawn(echo(app, piece));
                let length = thread_rate.frame_samples();
                let sent = stage.thread.run(TICKS, |tick| ramp(tick, length)).await;
                let all: Vec<i16> = (0..TICKS).flat_map(|tick| ramp(tick, length)).collect();
                let sent = spoken(&sent);
                assert!(sent.len() > (TICKS - DELAY) * length, "{dialect:?} {rate:?}: {}", sent.len());
                // Its first sample is zero and looks like silence.
                let difference = sent.iter().zip(&all[1..]).position(|(sent, heard)| sent != heard);
                assert_eq!(difference, None, "{dialect:?} {rate:?} {is_dialled}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_echo_at_another_rate_brings_back_the_sound_without_a_gap() {
    for rate in [Rate::Hz16000, Rate::Hz24000, Rate::Hz48000] {
        for thread_rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000] {
            let stage = Stage::new(config(Dialect::Hookswitch, rate), thread_rate);
            tokio::spawn(echo(stage.dial_in().await, rate.frame_samples()));
            let length = thread_rate.frame_samples();
            let tone = sine(1000.0, thread_rate.hz(), 8_000.0, TICKS * length);
            let sent = stage.thread.run(TICKS, |tick| tone[tick * length..][..length].to_vec()).await;
            let steady = &spoken(&sent)[5 * length..];
            let level = amplitude_at(&steady[..80 * length], 1000.0, thread_rate.hz());
            assert!((level - 8_000.0).abs() < 200.0, "{rate:?} at {thread_rate:?}: {level}");
            let step = steady.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
            let natural = 8_000.0 * std::f64::consts::TAU * 1000.0 / f64::from(thread_rate.hz());
            assert!(f64::from(step) < natural * 1.1, "{rate:?} at {thread_rate:?}: a step of {step}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_message_tells_the_format_and_audio_has_its_time() {
    let stage = Stage::new(config(Dialect::Acs, Rate::Hz16000), SampleRate::Hz16000);
    let mut app = stage.dial_in().await;
    let first = app.control().await;
    assert_eq!(
        first,
        json!({"kind": "AudioMetadata", "audioMetadata": {
            "subscriptionId": "the call", "encoding": "PCM", "sampleRate": 16000, "channels": 1, "length": 640,
        }})
    );
    stage.thread.tick(START_48K, &[(Source::Mixed, &[3; 320])]);
    let Message::Text(text) = app.message().await else { panic!("no text") };
    assert!(
        text.starts_with(
            r#"{"kind":"AudioData","audioData":{"timestamp":"2024-11-15T19:16:12.925Z","data":"AwAD"#
        ),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn five_talkers_and_their_mix_come_on_one_socket_each_by_itself() {
    let channels = [Channels::Both, Channels::Unmixed, Channels::Mixed];
    for (channels, expected) in channels.into_iter().zip([6, 5, 1]) {
        let format = Format { dialect: Dialect::Hookswitch, rate: Rate::Hz16000, channels };
        let stage = Stage::new(Config::new(format, "the call"), SampleRate::Hz16000);
        let mut app = stage.dial_in().await;
        app.control().await;
        let people: Vec<ParticipantId> = (1..=5).map(|n| Uuid::from_u128(n).into()).collect();
        let audio: Vec<[i16; 320]> = (0..6).map(|n| [n + 10; 320]).collect();
        let sources = people.iter().copied().map(Source::Participant).chain([Source::Mixed]);
        let heard: Vec<_> = sources.zip(&audio).map(|(source, samples)| (source, &samples[..])).collect();
        stage.thread.tick(START_48K, &heard);
        let mut seen = Vec::new();
        for _ in 0..expected {
            let Message::Binary(octets) = app.message().await else { panic!("no audio") };
            assert_eq!(octets[8..16], START_48K.to_le_bytes());
            let id = Uuid::from_slice(&octets[16..32]).unwrap();
            seen.push((octets[1], id.as_u128(), i16::from_le_bytes([octets[32], octets[33]])));
        }
        let mixed = (0, 0, 15);
        let unmixed = [(1, 1, 10), (1, 2, 11), (1, 3, 12), (1, 4, 13), (1, 5, 14)];
        let all: Vec<_> = match channels {
            Channels::Both => unmixed.into_iter().chain([mixed]).collect(),
            Channels::Unmixed => unmixed.to_vec(),
            Channels::Mixed => vec![mixed],
        };
        assert_eq!(seen, all, "{channels:?}");
    }
}
