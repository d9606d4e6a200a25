//! Handing a call's other party over: to someone new, to someone whom the application has asked before, and out of a
//! conference.

use std::time::Duration;

use call_engine::{
    Command, CommandId, ConferenceAnswer, ConferenceEvent, ConferenceRequest, Config, Effect, EndCause,
    Input, JobResult, LegEvent, Rejection, Reply, TransferEvent,
};
use model::CallState::{Established, Establishing, Terminated, TransferAccepted, Transferring};
use model::ChangeType::{Deleted, Updated};
use model::{CallId, MediaState, Outcome, ParticipantId, Tone, Transferee};
use uuid::Uuid;

use crate::harness::{Harness, consultative_transfer, group, invitee, new_call, transfer};

/// Something that ends a call.
type End = fn(&mut Harness);

fn other_call() -> CallId {
    CallId::from(Uuid::from_u128(9 << 64))
}

fn ann() -> ParticipantId {
    ParticipantId::from(Uuid::from_u128(5))
}

fn transferring() -> Harness {
    let mut harness = Harness::established();
    assert_eq!(harness.command(transfer("ann", None)), Ok(Reply::Done));
    harness
}

/// A group call that is in its conference, and has asked to hand Ann over to John.
fn asked() -> Harness {
    let mut harness = Harness::of(group(new_call()), Config::default());
    harness.input(Input::Conference(ConferenceEvent::Joined));
    let command = transfer("john", Some(Transferee::Participant(ann())));
    harness.input(Input::Command { id: CommandId(1), command });
    harness
}

fn answer(harness: &mut Harness, answer: Result<ConferenceAnswer, Rejection>) {
    harness.input(Input::Conference(ConferenceEvent::Answered { command: CommandId(1), answer }));
}

fn replies(harness: &Harness) -> Vec<Result<Reply, Rejection>> {
    let reply = |effect: &Effect| match effect {
        Effect::Reply { reply, .. } => Some(reply.clone()),
        _ => None,
    };
    harness.effects.iter().filter_map(reply).collect()
}

fn is_cancelled(harness: &Harness) -> bool {
    harness.effects.iter().any(|effect| matches!(effect, Effect::CancelTransfer { .. }))
}

fn result(harness: &Harness) -> Option<(i32, i32)> {
    let info = harness.call.record().outcome?.result_info();
    Some((info.code, info.subcode))
}

#[test]
fn a_transfer_is_told_as_it_goes_and_ends_the_call_when_it_is_done() {
    let mut harness = transferring();
    let started = harness.effects.iter().find_map(|effect| match effect {
        Effect::Transfer { target, transferee, .. } => Some((target.callee.clone(), *transferee)),
        _ => None,
    });
    assert_eq!(started, Some(("ann".into(), None)));

    harness.transfer(TransferEvent::Accepted);
    harness.transfer(TransferEvent::Done);

    assert_eq!(
        harness.told_states()[2..],
        [(Updated, Transferring), (Updated, TransferAccepted), (Deleted, Terminated)]
    );
    assert_eq!(result(&harness), Some((0, 7015)));
    let outcome = harness.call.record().outcome;
    assert_eq!(outcome.and_then(Outcome::termination_reason), Some("AppTransferred"));
    let is_ended = harness.effects.iter().any(|effect| matches!(effect, Effect::EndLeg { .. }));
    assert!(!is_ended && !is_cancelled(&harness), "the leg is someone else's");
}

#[test]
fn a_failed_transfer_is_told_with_its_result_once_and_the_call_goes_on() {
    for (command, expected) in
        [(transfer("ann", None), (500, 7000)), (consultative_transfer("ann", other_call()), (500, 7700))]
    {
        let mut harness = Harness::established();
        assert_eq!(harness.command(command), Ok(Reply::Done));
        harness.transfer(TransferEvent::Accepted);
        harness.transfer(TransferEvent::Failed);
        assert_eq!(harness.call.record().state, Established);
        assert_eq!(result(&harness), Some(expected));
        assert!(harness.command(Command::SubscribeToTone { client_context: None }).is_ok());

        harness.leg(LegEvent::Tone(Tone::Pound));
        assert_eq!(result(&harness), None, "a key is not told as a failure");
        harness.transfer(TransferEvent::Done);
        assert_eq!(harness.call.record().state, Established, "what comes late changes nothing");
    }
}

#[test]
fn another_transfer_may_follow_one_that_failed_and_hears_nothing_of_it() {
    let mut harness = transferring();
    harness.transfer(TransferEvent::Failed);
    assert_eq!(harness.command(transfer("john", None)), Ok(Reply::Done));
    assert_eq!(result(&harness), None);

    harness.input(Input::Transfer { command: CommandId(1), event: TransferEvent::Done });
    assert_eq!(harness.call.record().state, Transferring);
    harness.transfer(TransferEvent::Done);
    assert_eq!(harness.call.record().state, Terminated);
}

#[test]
fn a_consultative_transfer_names_the_call_that_it_replaces_and_never_its_own() {
    let mut harness = Harness::established();
    let own = harness.call.record().id;
    assert_eq!(harness.command(consultative_transfer("ann", own)), Err(Rejection::TransferToItself));
    assert_eq!(harness.command(consultative_transfer("ann", other_call())), Ok(Reply::Done));
    let replaced = harness.effects.iter().find_map(|effect| match effect {
        Effect::Transfer { target, .. } => target.target.replaces_call_id.clone(),
        _ => None,
    });
    assert_eq!(replaced, Some(other_call().to_string()));
}

#[test]
fn a_call_whose_leg_is_taken_for_a_transfer_is_over_without_hanging_up() {
    let mut harness = Harness::established();
    harness.play("hello");
    harness.effects.clear();
    harness.input(Input::LegTaken);
    assert_eq!(result(&harness), Some((200, 5003)));
    assert_eq!(harness.told_states(), [(Deleted, Terminated)]);
    assert!(!harness.effects.iter().any(|effect| matches!(effect, Effect::EndLeg { .. })));
}

#[test]
fn a_transfer_takes_only_so_long_and_does_not_keep_the_call_alive() {
    let config = Config::default();
    let mut harness = transferring();
    harness.advance(config.transfer_timeout);
    assert!(is_cancelled(&harness));
    assert_eq!((harness.call.record().state, result(&harness)), (Established, Some((500, 7000))));
    harness.advance(config.keep_alive_timeout - config.transfer_timeout);
    assert_eq!(harness.call.record().outcome, None);
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(harness.call.record().outcome, Some(Outcome::KeepAliveMissing));

    let mut harness = Harness::established();
    harness.advance(config.keep_alive_timeout - Duration::from_secs(1));
    assert!(harness.command(transfer("ann", None)).is_ok());
    harness.advance(Duration::from_secs(1));
    assert!(is_cancelled(&harness), "the application has been silent too long");

    let mut harness = Harness::established();
    harness.advance(config.keep_alive_timeout - Duration::from_secs(1));
    assert!(harness.command(transfer("ann", None)).is_ok());
    assert_eq!(harness.command(Command::KeepAlive), Ok(Reply::Done));
    harness.transfer(TransferEvent::Failed);
    harness.advance(Duration::from_secs(60));
    assert_eq!(harness.call.record().state, Established);
}

#[test]
fn whatever_ends_the_call_stops_its_transfer() {
    let ends: [(End, Outcome); 4] = [
        (|harness| harness.leg(LegEvent::Ended(EndCause::HungUp)), Outcome::EndedByPeer),
        (|harness| assert!(harness.command(Command::HangUp).is_ok()), Outcome::EndedByBot),
        (|harness| harness.input(Input::Replaced), Outcome::Replaced),
        (|harness| harness.input(Input::ApplicationMediaLost), Outcome::MediaLost),
    ];
    for (end, outcome) in ends {
        let mut harness = transferring();
        end(&mut harness);
        harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
        assert!(is_cancelled(&harness));
        assert_eq!(harness.call.record().outcome, Some(outcome));
    }
}

#[test]
fn what_plays_goes_on_during_a_transfer_and_ends_with_the_call() {
    let mut harness = Harness::established();
    let (first, second) = (harness.play("music"), harness.play("more"));
    assert!(harness.command(transfer("ann", None)).is_ok());
    harness.input(Input::JobEnded { operation: first, result: JobResult::Played });
    harness.leg(LegEvent::Held(true));
    assert_eq!(harness.call.record().media_state, Some(MediaState::Inactive));
    assert_eq!(harness.call.record().state, Transferring);

    harness.transfer(TransferEvent::Done);

    let outcome = |id| harness.call.operation(id).and_then(|operation| operation.outcome);
    assert_eq!(outcome(first), Some(Outcome::ActionCompleted));
    assert_eq!(outcome(second), Some(Outcome::CallEndedDuringOperation));
}

#[test]
fn out_of_a_group_call_the_conference_is_asked_for_the_transferee_first() {
    let mut harness = asked();
    let question = ConferenceRequest::Transfer(Transferee::Participant(ann()));
    assert!(
        harness
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::AskConference { request, .. } if *request == question))
    );
    assert_eq!((harness.call.record().state, replies(&harness)), (Established, vec![]));
    let again = Command::Transfer(Box::new(model::Transfer { target: invitee("john"), transferee: None }));
    harness.input(Input::Command { id: CommandId(2), command: again });
    assert_eq!(replies(&harness), [Err(Rejection::TransferUnderWay)]);

    answer(&mut harness, Ok(ConferenceAnswer::Transferee(ann())));

    assert_eq!(replies(&harness)[1..], [Ok(Reply::Done)]);
    let transferee = harness.effects.iter().find_map(|effect| match effect {
        Effect::Transfer { transferee, .. } => *transferee,
        _ => None,
    });
    assert_eq!(transferee, Some(ann()));
    harness.input(Input::Transfer { command: CommandId(1), event: TransferEvent::Accepted });
    harness.input(Input::Conference(ConferenceEvent::Ended(Outcome::Transferred)));
    assert_eq!(
        harness.told_states(),
        [
            (Updated, Establishing),
            (Updated, Established),
            (Updated, Transferring),
            (Updated, TransferAccepted),
            (Deleted, Terminated)
        ]
    );
    assert!(!is_cancelled(&harness));
    assert_eq!(result(&harness), Some((0, 7015)));
}

#[test]
fn a_transferee_who_is_not_there_is_said_at_once_or_fails_the_transfer_later() {
    let mut harness = asked();
    answer(&mut harness, Err(Rejection::ParticipantNotFound));
    assert_eq!(replies(&harness), [Err(Rejection::ParticipantNotFound)]);
    assert_eq!(harness.call.record().state, Established);

    let mut harness = asked();
    answer(&mut harness, Ok(ConferenceAnswer::Transferee(ann())));
    harness.input(Input::Conference(ConferenceEvent::TransfereeGone));
    assert!(is_cancelled(&harness));
    assert_eq!((harness.call.record().state, result(&harness)), (Established, Some((500, 7000))));
}

#[test]
fn a_group_call_says_who_is_handed_over() {
    let mut harness = Harness::of(group(new_call()), Config::default());
    harness.input(Input::Conference(ConferenceEvent::Joined));
    assert_eq!(harness.command(transfer("ann", None)), Err(Rejection::TransfereeMissing));
}

#[test]
fn a_call_that_ends_before_the_conference_has_answered_begins_no_transfer() {
    let mut ended = asked();
    ended.input(Input::Conference(ConferenceEvent::Ended(Outcome::EveryoneElseLeft)));
    let mut ending = asked();
    ending.input(Input::Command { id: CommandId(2), command: Command::HangUp });
    answer(&mut ending, Ok(ConferenceAnswer::Transferee(ann())));
    for harness in [ended, ending] {
        assert_eq!(replies(&harness).last(), Some(&Err(Rejection::Ended)));
        assert!(!harness.effects.iter().any(|effect| matches!(effect, Effect::Transfer { .. })));
    }
}

#[test]
fn who_is_there_in_the_place_of_the_other_party_is_shown_where_that_one_was() {
    let shown = |harness: &Harness| {
        let record = harness.call.record();
        let targets: Vec<_> = record.targets.iter().map(|target| target.identity.clone()).collect();
        (record.source.identity.clone(), targets)
    };
    let ann = invitee("ann").target.identity;
    let mut outgoing = Harness::established();
    let (source, _) = shown(&outgoing);
    outgoing.replace_party("ann");
    assert_eq!(shown(&outgoing), (source, vec![ann.clone()]));
    assert_eq!(outgoing.told_states().last(), Some(&(Updated, Established)));

    let mut incoming = Harness::incoming();
    assert!(incoming.command(crate::harness::answer()).is_ok());
    incoming.leg(LegEvent::Answered);
    let (_, targets) = shown(&incoming);
    incoming.replace_party("ann");
    assert_eq!(shown(&incoming), (ann, targets));
    assert_eq!(incoming.call.record().kind, model::CallKind::PeerToPeer { person: "ann".into() });
}

#[test]
fn nobody_takes_the_place_of_the_other_party_in_a_call_of_several() {
    let mut harness = Harness::of(group(new_call()), Config::default());
    harness.input(Input::Conference(ConferenceEvent::Joined));
    harness.effects.clear();
    harness.replace_party("ann");
    assert_eq!(harness.effects, []);
}
