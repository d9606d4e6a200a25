//! What the media threads report, on its way to calls, conferences and scripts.

use std::io;
use std::sync::Arc;

use media_engine::RecordOutcome;
use media_plane::{LegId, MediaEvent, MediaEvents, RecordingEnd};
use model::{ParticipantId, RecordCompletion, Tone};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::error::TrySendError;

use super::{Job, JobOutcome, Legs, Listener, PortEvent, Watched};
use crate::conference::ConferenceTaskInput;
use crate::inputs::Inputs;
use crate::task::CallInput;

/// Passes on what the media threads report, for as long as they run.
pub(super) async fn dispatch(mut events: AsyncFd<Watched<MediaEvents>>, legs: Arc<Legs>) {
    loop {
        let mut ready = match events.readable_mut().await {
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, "failed to listen to the media threads");
                return;
            }
        };
        while let Some(event) = ready.get_inner_mut().0.next() {
            pass_on(event, &legs);
        }
        ready.clear_ready();
    }
}

fn pass_on(event: MediaEvent, legs: &Legs) {
    let (leg, event) = match event {
        MediaEvent::Closed { leg, stats } => {
            legs.lock().remove(&leg);
            legs.samples().remove(&leg);
            legs.closed.notify_waiters();
            tracing::debug!(leg.id = leg.as_u64(), ?stats, "a media leg is closed");
            return;
        }
        MediaEvent::Dominant { mixer, leg } => {
            if let Some(conference) = legs.mixers().get(&mixer) {
                // The next change says more than this one, should it be dropped.
                let _ = conference.tell(ConferenceTaskInput::Dominant(leg));
            }
            return;
        }
        MediaEvent::Flowing { leg } => {
            tracing::debug!(leg.id = leg.as_u64(), "media flows");
            return;
        }
        MediaEvent::JobDone { leg, job, outcome } => {
            (leg, PortEvent::JobDone { job: Job(job.0), outcome: job_outcome(outcome) })
        }
        MediaEvent::Sampled { leg, sample } => {
            legs.sampled(leg, *sample);
            return;
        }
        MediaEvent::Lost { leg } => (leg, PortEvent::Lost),
        MediaEvent::Moved { leg, to } => {
            legs.lock().remove(&leg);
            legs.samples().remove(&leg);
            legs.closed.notify_waiters();
            tracing::debug!(leg.id = leg.as_u64(), leg.to = to.as_u64(), "a media leg has moved");
            return;
        }
        MediaEvent::Tone { leg, tone } => (leg, PortEvent::Tone(model_tone(tone))),
    };
    let unheard = match legs.listener(leg) {
        Listener::Application(call) => {
            tell_application(&call, leg, event);
            None
        }
        Listener::Call(call) => tell_call(&call, event),
        Listener::Conference { jobs: Some(call), .. } if matches!(event, PortEvent::JobDone { .. }) => {
            tell_call(&call, event)
        }
        Listener::Closing(call) if matches!(event, PortEvent::JobDone { .. }) => tell_call(&call, event),
        Listener::Conference { conference, participant, .. } => {
            tell_conference(&conference, participant, event)
        }
        Listener::Script(script) => script.try_send(event).err().map(TrySendError::into_inner),
        Listener::Closing(_) | Listener::Nobody => Some(event),
    };
    if let Some(event) = unheard {
        discard(event);
    }
}

/// Passes an event on to a call; returns it where the call is over. Keys may be dropped, ends may not.
fn tell_call(call: &Inputs<CallInput>, event: PortEvent) -> Option<PortEvent> {
    if matches!(event, PortEvent::Tone(_)) {
        let _ = call.tell(CallInput::Media(event));
        return None;
    }
    match call.end(CallInput::Media(event)) {
        Err(CallInput::Media(event)) => Some(event),
        // Only what went in comes back.
        Ok(()) | Err(_) => None,
    }
}

/// The same for the end of an application, which has no jobs whose end anybody waits for.
fn tell_application(call: &Inputs<CallInput>, leg: LegId, event: PortEvent) {
    let is_key = matches!(event, PortEvent::Tone(_));
    let input = CallInput::ApplicationMedia(leg, event);
    // A call that is over has no use for it.
    let _ = if is_key { call.tell(input).is_ok() } else { call.end(input).is_ok() };
}

/// The same for the leg of a person in a conference.
fn tell_conference(
    conference: &Inputs<ConferenceTaskInput>,
    participant: ParticipantId,
    event: PortEvent,
) -> Option<PortEvent> {
    let is_key = matches!(event, PortEvent::Tone(_));
    let input = ConferenceTaskInput::Media { participant, event };
    if is_key {
        let _ = conference.tell(input);
        return None;
    }
    match conference.end(input) {
        Err(ConferenceTaskInput::Media { event, .. }) => Some(event),
        // Only what went in comes back.
        Ok(()) | Err(_) => None,
    }
}

/// Removes what nobody waits for any more.
pub(crate) fn discard(event: PortEvent) {
    if let PortEvent::JobDone { outcome: JobOutcome::Recorded { path, .. }, .. } = event {
        tokio::spawn(async move {
            if let Err(error) = tokio::fs::remove_file(&path).await
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "failed to remove a recording that nobody waits for");
            }
        });
    }
}

fn job_outcome(outcome: media_plane::JobOutcome) -> JobOutcome {
    match outcome {
        media_plane::JobOutcome::Cancelled => JobOutcome::Cancelled,
        media_plane::JobOutcome::Completed => JobOutcome::Done,
        media_plane::JobOutcome::Failed(why) => {
            tracing::warn!(why, "a media job failed");
            JobOutcome::Failed
        }
        media_plane::JobOutcome::Recorded(recording) => {
            let completion = match recording.end {
                RecordingEnd::LegClosed => RecordCompletion::OperationCanceled,
                RecordingEnd::Recorder(outcome) => completion(outcome),
            };
            JobOutcome::Recorded { completion, path: recording.path }
        }
    }
}

fn completion(outcome: RecordOutcome) -> RecordCompletion {
    match outcome {
        RecordOutcome::Cancelled => RecordCompletion::OperationCanceled,
        RecordOutcome::InitialSilence => RecordCompletion::InitialSilenceTimeout,
        RecordOutcome::MaxDuration => RecordCompletion::MaxRecordDurationReached,
        RecordOutcome::MaxSilence => RecordCompletion::MaxSilenceTimeout,
        RecordOutcome::StopTone(_) => RecordCompletion::StopToneDetected,
    }
}

fn model_tone(tone: media_engine::Tone) -> Tone {
    Tone::from_key(tone.key()).unwrap_or(Tone::Flash)
}
