//! Each state of a call against each input: nothing is undefined.
//!
//! A cell says what the input leads to: the state that follows, `-` where nothing happens, a number or a word where a command is
//! refused, and `ok` where it is done and the state stays.

use std::time::Duration;

use call_engine::{
    Command, CommandId, ConferenceAnswer, ConferenceEvent, Config, Effect, EndCause, Input, LegEvent,
    RedirectEvent, Rejection, TransferEvent,
};
use model::{CallDirection, CallState, NotificationBody, Outcome, RejectReason, Roster, Tone};

use crate::harness::{Harness, answer, prompt, record_params, redirect, transfer};

type Begin = fn() -> Harness;

/// How a call gets into each state. Two are being set up: one that the application makes, one that it answers.
const STATES: [(&str, Begin); 9] = [
    ("incoming", Harness::incoming),
    ("redirecting", || commanded(Harness::incoming(), Command::Redirect(redirect(&["john", "ann"])))),
    ("calling", || Harness::new(Config::default())),
    ("answering", || commanded(Harness::incoming(), answer())),
    ("established", Harness::established),
    ("transferring", transferring),
    ("accepted", || {
        let mut harness = transferring();
        harness.transfer(TransferEvent::Accepted);
        harness
    }),
    ("terminating", || commanded(Harness::established(), Command::HangUp)),
    ("terminated", || {
        let mut harness = Harness::established();
        harness.leg(LegEvent::Ended(EndCause::HungUp));
        harness
    }),
];

fn transferring() -> Harness {
    commanded(Harness::established(), transfer("ann", None))
}

fn commanded(mut harness: Harness, command: Command) -> Harness {
    assert!(harness.command(command).is_ok());
    harness
}

/// The table. In the order of [`STATES`].
#[rustfmt::skip]
const TABLE: &[(&str, [&str; 9])] = &[
    // Commands            incoming       redirecting    calling        answering      established    transferring   accepted       terminating    terminated
    ("answer",           ["answering",   "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "ended",       "ended"]),
    ("reject",           ["terminated",  "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "ended",       "ended"]),
    ("redirect",         ["redirecting", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "notIncoming", "ended",       "ended"]),
    ("transfer",         ["notYet",      "notYet",      "notYet",      "notYet",      "transferring","underWay",    "underWay",    "ended",       "ended"]),
    ("hang up",          ["terminated",  "terminated",  "terminating", "terminating", "terminating", "terminating", "terminating", "ended",       "ended"]),
    ("keep alive",       ["ok",          "ok",          "ok",          "ok",          "ok",          "ok",          "ok",          "ended",       "ended"]),
    ("play",             ["notYet",      "notYet",      "notYet",      "notYet",      "ok",          "notYet",      "notYet",      "ended",       "ended"]),
    ("record",           ["notYet",      "notYet",      "notYet",      "notYet",      "ok",          "notYet",      "notYet",      "ended",       "ended"]),
    ("send tones",       ["notYet",      "notYet",      "notYet",      "notYet",      "ok",          "notYet",      "notYet",      "ended",       "ended"]),
    ("subscribe",        ["notYet",      "notYet",      "notYet",      "notYet",      "ok",          "notYet",      "notYet",      "ended",       "ended"]),
    ("cancel media",     ["notYet",      "notYet",      "notYet",      "notYet",      "ok",          "notYet",      "notYet",      "ended",       "ended"]),
    ("mute",             ["notYet",      "notYet",      "notYet",      "notYet",      "notGroup",    "notYet",      "notYet",      "ended",       "ended"]),
    // The leg
    ("leg rings",        ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("leg answered",     ["-",           "-",           "established", "established", "-",           "-",           "-",           "-",           "-"]),
    ("leg held",         ["-",           "-",           "-",           "-",           "established", "transferring","accepted",    "-",           "-"]),
    ("leg key",          ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("leg ended",        ["terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "-"]),
    ("leg taken",        ["terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "-"]),
    // What moves it
    ("target answers",   ["-",           "terminated",  "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("target fails",     ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("all targets fail", ["-",           "terminated",  "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("unknown target",   ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("transfer accepted",["-",           "-",           "-",           "-",           "-",           "accepted",    "-",           "-",           "-"]),
    ("transfer done",    ["-",           "-",           "-",           "-",           "-",           "terminated",  "terminated",  "-",           "-"]),
    ("transfer failed",  ["-",           "-",           "-",           "-",           "-",           "established", "established", "-",           "-"]),
    ("another's transfer",["-",          "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("party replaced",   ["-",           "-",           "-",           "-",           "established", "transferring","accepted",    "-",           "-"]),
    ("replaced",         ["terminated",  "terminated",  "terminating", "terminating", "terminating", "terminating", "terminating", "-",           "-"]),
    // Its media and its conference
    ("program gone",     ["-",           "-",           "terminating", "terminating", "terminating", "terminating", "terminating", "-",           "-"]),
    ("job of nothing",   ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("joined",           ["-",           "-",           "established", "established", "-",           "-",           "-",           "-",           "-"]),
    ("dominant",         ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("unasked answer",   ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("conference key",   ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("transferee gone",  ["-",           "-",           "-",           "-",           "-",           "established", "established", "-",           "-"]),
    ("conference over",  ["terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "terminated",  "-"]),
    // Time
    ("too early",        ["-",           "-",           "-",           "-",           "-",           "-",           "-",           "-",           "-"]),
    ("its deadline",     ["terminated",  "terminated",  "terminating", "terminating", "terminating", "established", "established", "terminated",  "-"]),
    ("45 minutes",       ["terminated",  "terminated",  "terminating", "terminating", "terminating", "terminating", "terminating", "terminated",  "-"]),
];

fn command_of(input: &str) -> Option<Command> {
    let client_context = None;
    Some(match input {
        "answer" => answer(),
        "reject" => Command::Reject { reason: RejectReason::Busy, callback_uri: None },
        "redirect" => Command::Redirect(redirect(&["john", "ann"])),
        "transfer" => transfer("ann", None),
        "hang up" => Command::HangUp,
        "keep alive" => Command::KeepAlive,
        "play" => Command::PlayPrompt { prompts: vec![prompt()], client_context },
        "record" => Command::RecordResponse { params: record_params(false), client_context },
        "send tones" => {
            Command::SendDtmfTones { tones: vec![Tone::Star], delay_between_tones_ms: 0, client_context }
        }
        "subscribe" => Command::SubscribeToTone { client_context },
        "cancel media" => Command::CancelMediaProcessing { client_context },
        "mute" => Command::Conference { request: call_engine::ConferenceRequest::MuteSelf, client_context },
        _ => return None,
    })
}

fn leg_event_of(input: &str) -> Option<LegEvent> {
    Some(match input {
        "leg rings" => LegEvent::Ringing,
        "leg answered" => LegEvent::Answered,
        "leg held" => LegEvent::Held(true),
        "leg key" => LegEvent::Tone(Tone::Pound),
        "leg ended" => LegEvent::Ended(EndCause::HungUp),
        _ => return None,
    })
}

fn conference_event_of(input: &str) -> Option<ConferenceEvent> {
    let unasked = || ConferenceEvent::Answered { command: CommandId(99), answer: Ok(ConferenceAnswer::Done) };
    Some(match input {
        "joined" => ConferenceEvent::Joined,
        "dominant" => ConferenceEvent::Dominant(None),
        "unasked answer" => unasked(),
        "conference key" => ConferenceEvent::Tone(Tone::Pound),
        "transferee gone" => ConferenceEvent::TransfereeGone,
        "conference over" => ConferenceEvent::Ended(Outcome::EveryoneElseLeft),
        _ => return None,
    })
}

/// What happens to the call, and where the input is a command, what it is answered.
fn give(harness: &mut Harness, input: &str) -> Option<Rejection> {
    if let Some(command) = command_of(input) {
        return harness.command(command).err();
    }
    if let Some(event) = leg_event_of(input) {
        harness.leg(event);
        return None;
    }
    if let Some(event) = conference_event_of(input) {
        harness.input(Input::Conference(event));
        return None;
    }
    let fails = RedirectEvent::Failed(EndCause::Busy);
    match input {
        "leg taken" => harness.input(Input::LegTaken),
        "target answers" => harness.input(Input::Redirect { target: 1, event: RedirectEvent::Answered }),
        "target fails" => harness.input(Input::Redirect { target: 1, event: fails }),
        "all targets fail" => {
            harness.input(Input::Redirect { target: 1, event: fails });
            harness.input(Input::Redirect { target: 0, event: fails });
        }
        "unknown target" => harness.input(Input::Redirect { target: 2, event: RedirectEvent::Answered }),
        "transfer accepted" => harness.transfer(TransferEvent::Accepted),
        "transfer done" => harness.transfer(TransferEvent::Done),
        "transfer failed" => harness.transfer(TransferEvent::Failed),
        "another's transfer" => {
            harness.input(Input::Transfer { command: CommandId(99), event: TransferEvent::Done });
        }
        "party replaced" => harness.replace_party("ann"),
        "replaced" => harness.input(Input::Replaced),
        "program gone" => harness.input(Input::ApplicationMediaLost),
        "job of nothing" => {
            let operation = model::OperationId::from(uuid::Uuid::nil());
            harness.input(Input::JobEnded { operation, result: call_engine::JobResult::Played });
        }
        "too early" => harness.advance(Duration::ZERO),
        "its deadline" => {
            if let Some(at) = harness.call.poll_timeout() {
                harness.advance(at.since(harness.now));
            }
        }
        "45 minutes" => harness.advance(Config::default().keep_alive_timeout),
        unknown => panic!("no such input: {unknown}"),
    }
    None
}

fn name_of(harness: &Harness) -> &'static str {
    let record = harness.call.record();
    match (record.state, record.direction) {
        (CallState::Incoming, _) => "incoming",
        (CallState::Redirecting, _) => "redirecting",
        (CallState::Establishing, CallDirection::Outgoing) => "calling",
        (CallState::Establishing, CallDirection::Incoming) => "answering",
        (CallState::Established, _) => "established",
        (CallState::Transferring, _) => "transferring",
        (CallState::TransferAccepted, _) => "accepted",
        (CallState::Terminating, _) => "terminating",
        (CallState::Terminated, _) => "terminated",
    }
}

fn word_for(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Ended => "ended",
        Rejection::NotEstablished => "notYet",
        Rejection::NotGroupCall => "notGroup",
        Rejection::NotIncoming => "notIncoming",
        Rejection::TransferUnderWay => "underWay",
        other => panic!("not in the table: {other:?}"),
    }
}

/// What a cell of the table says of what has happened.
fn cell(harness: &Harness, before: &'static str, rejection: Option<Rejection>) -> &'static str {
    let is_told = harness.notifications().iter().any(|told| matches!(told.body, NotificationBody::Call(_)));
    let after = name_of(harness);
    let is_answered = harness.effects.iter().any(|effect| matches!(effect, Effect::Reply { .. }));
    match rejection {
        Some(rejection) => {
            assert_eq!(harness.effects.len(), 1, "a refusal changes nothing");
            word_for(rejection)
        }
        None if after != before || is_told => after,
        None if is_answered => "ok",
        None => {
            assert_eq!(harness.effects, [], "nothing happens where nothing is told");
            "-"
        }
    }
}

#[test]
fn every_input_has_its_place_in_every_state() {
    let mut wrong = Vec::new();
    for (input, cells) in TABLE {
        for ((state, begin), expected) in STATES.iter().zip(cells) {
            let mut harness = begin();
            assert_eq!(name_of(&harness), *state);
            harness.effects.clear();
            let rejection = give(&mut harness, input);
            let found = cell(&harness, state, rejection);
            if found != *expected {
                wrong.push(format!("{input} while {state}: {found}, not {expected}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_roster_is_told_whatever_the_state_until_the_end() {
    for (state, begin) in STATES {
        let mut harness = begin();
        harness.effects.clear();
        harness.input(Input::Conference(ConferenceEvent::Roster(Roster::default())));
        assert_eq!(harness.notifications().len(), usize::from(state != "terminated"), "{state}");
    }
}

#[test]
fn from_every_state_time_alone_leads_to_the_end() {
    for (state, begin) in STATES {
        let mut harness = begin();
        let mut steps = 0;
        while let Some(at) = harness.call.poll_timeout() {
            harness.advance(at.since(harness.now));
            steps += 1;
            assert!(steps < 5, "{state} is stuck");
        }
        assert_eq!(harness.call.record().state, CallState::Terminated, "{state}");
        assert_eq!(harness.effects.last(), Some(&Effect::Ended), "{state}");
    }
}
