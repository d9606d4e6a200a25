//! What the actions make of the documented bodies, and of bodies that are not right.

use std::time::Duration;

use graph_wire::{
    CancelMediaProcessing, InvalidRequest, Limits, PlayPrompt, RecordResponse, SendDtmfTones, SubscribeToTone,
};
use model::{OperationKind, Tone};
use proptest::prelude::*;
use serde_json::{Value, json};

const CONTEXT: &str = "d45324c1-fcb5-430a-902c-f20af696537c";

fn prompt() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"uri": "https://cdn.contoso.com/beep.wav", "resourceId": "1D6DE2D4-CD51-4309-8DAA-70768651088E"},
    })
}

fn play(body: &Value) -> Result<PlayPrompt, InvalidRequest> {
    PlayPrompt::decode(body.to_string().as_bytes(), &Limits::default())
}

fn record(body: &Value) -> Result<RecordResponse, InvalidRequest> {
    RecordResponse::decode(body.to_string().as_bytes(), &Limits::default())
}

fn send(body: &Value) -> Result<SendDtmfTones, InvalidRequest> {
    SendDtmfTones::decode(body.to_string().as_bytes(), &Limits::default())
}

#[test]
fn a_documented_prompt_is_taken() {
    let action = play(&json!({"clientContext": CONTEXT, "prompts": [prompt()]})).unwrap();
    assert_eq!(action.client_context.as_deref(), Some(CONTEXT));
    let OperationKind::PlayPrompt { prompts } = action.into() else { panic!("another kind") };
    assert_eq!(prompts[0].media.uri, "https://cdn.contoso.com/beep.wav");
}

#[test]
fn prompts_are_bounded_and_must_be_addresses() {
    let refusal = |body: Value| play(&body).unwrap_err().to_string();
    assert_eq!(refusal(json!({})), "prompts: expected at least one item");
    assert_eq!(refusal(json!({"prompts": vec![prompt(); 21]})), "prompts: expected at most 20 items");
    assert_eq!(
        refusal(json!({"prompts": [prompt(), {"mediaInfo": {"uri": "beep.wav"}}]})),
        "prompts[1].mediaInfo.uri: expected an absolute https URL"
    );
    assert_eq!(
        refusal(json!({"prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt"}]})),
        "prompts[0].mediaInfo: expected a value: the member is required"
    );
}

#[test]
fn a_documented_recording_is_taken() {
    let body = json!({
        "bargeInAllowed": true,
        "clientContext": CONTEXT,
        "prompts": [prompt()],
        "maxRecordDurationInSeconds": 10,
        "initialSilenceTimeoutInSeconds": 120,
        "maxSilenceTimeoutInSeconds": 1,
        "playBeep": false,
        "stopTones": ["#", "1", "*", "#"],
    });
    let params = record(&body).unwrap().params;
    assert!(params.barge_in_allowed && !params.play_beep);
    assert_eq!(params.max_record_duration, Duration::from_secs(10));
    assert_eq!(params.initial_silence_timeout, Duration::from_secs(120));
    assert_eq!(params.max_silence_timeout, Duration::from_secs(1));
    assert_eq!(params.stop_tones, [Tone::Pound, Tone::Digit(1), Tone::Star]);
    assert_eq!(params.prompts.len(), 1);
}

#[test]
fn a_recording_that_asks_for_nothing_has_the_documented_defaults() {
    for body in ["", " \r\n", "{}", "{\"playBeep\": null, \"stopTones\": null}"] {
        let params = RecordResponse::decode(body.as_bytes(), &Limits::default()).unwrap().params;
        let durations =
            [params.initial_silence_timeout, params.max_silence_timeout, params.max_record_duration];
        assert_eq!(durations, [Duration::from_secs(5); 3]);
        assert!(params.play_beep && !params.barge_in_allowed);
        assert!(params.prompts.is_empty() && params.stop_tones.is_empty());
    }
}

#[test]
fn a_recording_outside_the_documented_limits_is_refused() {
    let refusal = |body: Value| record(&body).unwrap_err().to_string();
    let range = "maxRecordDurationInSeconds: expected 1 to 120 seconds";
    for seconds in [0, 121, -1, i32::MIN, i32::MAX] {
        assert_eq!(refusal(json!({"maxRecordDurationInSeconds": seconds})), range);
    }
    assert_eq!(refusal(json!({"prompts": [prompt(), prompt()]})), "prompts: expected at most 1 item");
    assert_eq!(refusal(json!({"stopTones": ["E"]})), "stopTones[0]: expected a key: 0 to 9, *, #, A to D");
    assert_eq!(refusal(json!({"stopTones": [1]})), "stopTones[0]: expected a string");
    assert_eq!(refusal(json!({"playBeep": "yes"})), "playBeep: expected true or false");
    assert_eq!(
        refusal(json!({"maxSilenceTimeoutInSeconds": 1.5})),
        "maxSilenceTimeoutInSeconds: expected a 32-bit integer"
    );
}

#[test]
fn tones_are_names_or_tone_info_objects() {
    let body = json!({
        "tones": ["tone1", "Pound", {"@odata.type": "#microsoft.graph.toneInfo", "sequenceId": 1, "tone": "star"}],
        "delayBetweenTonesMs": 1000,
        "clientContext": CONTEXT,
    });
    let action = send(&body).unwrap();
    assert_eq!(action.tones, [Tone::Digit(1), Tone::Pound, Tone::Star]);
    assert_eq!(action.delay_between_tones_ms, 1000);
    assert_eq!(send(&json!({"tones": ["a"]})).unwrap().delay_between_tones_ms, 100);
}

#[test]
fn tones_outside_the_limits_are_refused() {
    let refusal = |body: Value| send(&body).unwrap_err().to_string();
    assert_eq!(refusal(json!({"tones": []})), "tones: expected at least one item");
    assert_eq!(refusal(json!({"tones": vec!["a"; 65]})), "tones: expected at most 64 items");
    assert!(refusal(json!({"tones": ["1"]})).starts_with("tones[0]: expected one of tone0, "));
    assert_eq!(
        refusal(json!({"tones": ["a"], "delayBetweenTonesMs": -1})),
        "delayBetweenTonesMs: expected 0 to 30000"
    );
}

#[test]
fn a_client_context_is_counted_in_characters() {
    let context = |length: usize| json!({"clientContext": "\u{e9}".repeat(length)}).to_string();
    let subscribe = |body: &str| SubscribeToTone::decode(body.as_bytes(), &Limits::default());
    assert!(subscribe(&context(256)).is_ok());
    assert_eq!(
        subscribe(&context(257)).unwrap_err().to_string(),
        "clientContext: expected at most 256 characters"
    );
    let cancel = CancelMediaProcessing::decode(b"", &Limits::default()).unwrap();
    assert_eq!(OperationKind::from(cancel), OperationKind::CancelMediaProcessing);
}

proptest! {
    #[test]
    fn no_body_makes_an_action_panic(
        name in prop::sample::select(vec!["prompts", "tones", "stopTones", "delayBetweenTonesMs", "playBeep"]),
        value in "[\\[\\]{}\",:a-z0-9#. -]{0,30}",
    ) {
        let body = format!("{{\"{name}\": {value}}}");
        let limits = Limits::default();
        let played = PlayPrompt::decode(body.as_bytes(), &limits);
        prop_assert!(played.is_err(), "none of these is an address");
        if let Ok(action) = SendDtmfTones::decode(body.as_bytes(), &limits) {
            prop_assert!((1..=limits.tones).contains(&action.tones.len()));
        }
        if let Ok(action) = RecordResponse::decode(body.as_bytes(), &limits) {
            prop_assert!(action.params.prompts.is_empty());
        }
    }
}
