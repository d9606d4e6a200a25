//! Every result that a call or an operation of it ends by, and the list of them that people read.

use call_engine::{Command, EndCause, Input, JobResult, LegEvent};
use model::{CallState, Outcome, RecordCompletion};

use crate::harness::{Harness, answer, find, operation_of, prompt, record_params};

fn outcome(mut harness: Harness, cause: EndCause) -> Option<Outcome> {
    harness.leg(LegEvent::Ended(cause));
    assert_eq!(harness.call.record().state, CallState::Terminated);
    harness.call.record().outcome
}

fn answering() -> Harness {
    let mut harness = Harness::incoming();
    assert!(harness.command(answer()).is_ok());
    harness
}

#[test]
fn each_way_in_which_a_leg_ends_has_its_result_in_each_phase() {
    use Outcome::*;
    #[rustfmt::skip]
    let results = [
        // Cause                        called                connected               calling the application
        (EndCause::AnsweredElsewhere, AnsweredElsewhere,     AnsweredElsewhere,      AnsweredElsewhere),
        (EndCause::Busy,              CalleeBusy,            CalleeBusy,             CalleeBusy),
        (EndCause::Cancelled,         CancelledByBot,        CancelledByBot,         CancelledByCaller),
        (EndCause::Declined,          CalleeDeclined,        CalleeDeclined,         CalleeDeclined),
        (EndCause::HungUp,            EndedByPeer,           EndedByPeer,            CancelledByCaller),
        (EndCause::Internal,          InternalError,         InternalError,          InternalError),
        (EndCause::LocalHangUp,       EndedByBot,            EndedByBot,             EndedByBot),
        (EndCause::MediaFailed,       MediaFailed,           MediaFailed,            MediaFailed),
        (EndCause::MediaLost,         MediaLost,             MediaLost,              MediaLost),
        (EndCause::NoAnswer,          NotAnswered,           NotAnswered,            NotAnswered),
        (EndCause::NoEndpoint,        CalleeHasNoEndpoint,   CalleeHasNoEndpoint,    CalleeHasNoEndpoint),
        (EndCause::NotAcknowledged,   AnswerNotAcknowledged, AnswerNotAcknowledged,  AnswerNotAcknowledged),
        (EndCause::NotFound,          CalleeNotFound,        CalleeNotFound,         CalleeNotFound),
        (EndCause::PhoneNetwork(486), PstnOutgoing(486),     PstnOutgoing(486),      PstnOutgoing(486)),
        (EndCause::RefusedOffer,      CalleeRefusedOffer,    CalleeRefusedOffer,     CalleeRefusedOffer),
        (EndCause::Silent,            CalleeSilent,          MediaLost,              CalleeSilent),
        (EndCause::Unreachable,       CalleeUnreachable,     CalleeUnreachable,      CalleeUnreachable),
        (EndCause::Vanished,          MediaLost,             MediaLost,              MediaLost),
    ];
    for (cause, called, connected, calling) in results {
        let begun = Harness::new(call_engine::Config::default());
        assert_eq!(outcome(begun, cause), Some(called), "{cause:?} while it rings");
        assert_eq!(outcome(Harness::established(), cause), Some(connected), "{cause:?} while it talks");
        assert_eq!(outcome(Harness::incoming(), cause), Some(calling), "{cause:?} while it comes in");
        assert_eq!(outcome(answering(), cause), Some(calling), "{cause:?} while it is answered");
    }
}

#[test]
fn hanging_up_before_the_answer_cancels() {
    let mut harness = Harness::new(call_engine::Config::default());
    assert!(harness.command(Command::HangUp).is_ok());
    assert_eq!(outcome(harness, EndCause::LocalHangUp), Some(Outcome::CancelledByBot));
}

#[test]
fn each_way_in_which_a_recording_ends_has_its_result() {
    let results = [
        (RecordCompletion::MaxRecordDurationReached, (200, 8515)),
        (RecordCompletion::MaxSilenceTimeout, (200, 8509)),
        (RecordCompletion::StopToneDetected, (200, 8514)),
        (RecordCompletion::InitialSilenceTimeout, (400, 8510)),
        (RecordCompletion::MediaReceiveTimeout, (400, 8513)),
        (RecordCompletion::OperationCanceled, (400, 8508)),
        (RecordCompletion::PlayPromptFailed, (400, 8536)),
        (RecordCompletion::UnspecifiedError, (500, 9999)),
    ];
    for (completion, result) in results {
        let mut harness = Harness::established();
        let command = Command::RecordResponse { params: record_params(false), client_context: None };
        let operation = operation_of(harness.command(command));
        let recorded = JobResult::Recorded { completion, location: None, access_token: None };
        harness.input(Input::JobEnded { operation, result: recorded });
        assert_eq!(numbers(find(&harness, operation).outcome), Some(result), "{completion:?}");
    }
}

#[test]
fn each_failure_of_a_prompt_is_its_result() {
    for why in [Outcome::PromptDownloadFailed, Outcome::PromptInvalid, Outcome::TooManyOperations] {
        let mut harness = Harness::established();
        let prompts = vec![prompt()];
        let operation = operation_of(harness.command(Command::PlayPrompt { prompts, client_context: None }));
        harness.input(Input::JobEnded { operation, result: JobResult::Failed(why) });
        assert_eq!(find(&harness, operation).outcome, Some(why));
    }
}

fn numbers(outcome: Option<Outcome>) -> Option<(i32, i32)> {
    let info = outcome?.result_info();
    Some((info.code, info.subcode))
}

/// Every test that the list names is there: `call-engine/tests/call/table.rs::a_name`, below `crates`.
#[test]
fn the_list_of_results_names_tests_that_are_there() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates lie in a folder");
    let list = include_str!("../../../../docs/result-codes.md");
    let named: Vec<(&str, &str)> = list.split('`').filter_map(|text| text.split_once(".rs::")).collect();
    assert!(named.len() > 40, "{named:?}");
    for (file, test) in named {
        let text = std::fs::read_to_string(crates.join(format!("{file}.rs"))).expect("the file is there");
        assert!(text.contains(&format!("fn {test}(")), "{file}.rs has no {test}");
    }
}
