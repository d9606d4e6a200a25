use std::collections::{BTreeMap, VecDeque};

use model::{
    MediaPrompt, Operation, OperationId, OperationKind, OperationStatus, Outcome, RecordCompletion,
    RecordParams, SendDtmfCompletion, Tone,
};

use crate::{Job, JobResult};

/// The operations of one call.
///
/// Prompts and recordings share one line: the first runs, the others wait. Keys have a line of their own, so that they
/// can be sent while a prompt plays. What the conference does waits for nothing. An operation leaves its line when it
/// completes, which it does once.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    all: BTreeMap<OperationId, Operation>,
    /// Oldest first, to know which to forget.
    order: VecDeque<OperationId>,
    media: VecDeque<OperationId>,
    tones: VecDeque<OperationId>,
}

/// The lines in which operations wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// None: it runs at once, beside everything else.
    Conference,
    Media,
    Tones,
}

impl Operations {
    pub(crate) fn waiting(&self) -> usize {
        self.media.len() + self.tones.len()
    }

    pub(crate) fn find(&self, id: OperationId) -> Option<&Operation> {
        self.all.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.order.iter().filter_map(|id| self.all.get(id))
    }

    /// Everything unfinished, in the order in which it was asked for.
    pub(crate) fn unfinished(&self) -> Vec<OperationId> {
        self.iter().filter(|operation| !operation.status.is_final()).map(|operation| operation.id).collect()
    }

    /// Adds an operation that is complete from the start.
    pub(crate) fn add_completed(&mut self, operation: Operation, remembered: usize) {
        self.remember(operation, remembered);
    }

    /// Adds an operation at the end of its line; it runs at once where the line was empty.
    pub(crate) fn add(&mut self, mut operation: Operation, remembered: usize) -> Operation {
        let queue = match line_of(&operation.kind) {
            Line::Conference => None,
            Line::Media => Some(&mut self.media),
            Line::Tones => Some(&mut self.tones),
        };
        operation.status = OperationStatus::Running;
        if let Some(queue) = queue {
            if !queue.is_empty() {
                operation.status = OperationStatus::NotStarted;
            }
            queue.push_back(operation.id);
        }
        self.remember(operation.clone(), remembered);
        operation
    }

    /// Completes an operation and takes it out of its line. `None` where it is complete already, or unknown.
    pub(crate) fn complete(&mut self, id: OperationId, result: JobResult) -> Option<Completed> {
        let operation = self.all.get_mut(&id).filter(|operation| !operation.status.is_final())?;
        let was_running = operation.status == OperationStatus::Running;
        apply(operation, result);
        self.media.retain(|waiting| *waiting != id);
        self.tones.retain(|waiting| *waiting != id);
        Some(Completed { operation: operation.clone(), was_running })
    }

    /// Starts the first of a line where it only waits so far, and says what to do.
    pub(crate) fn start_next(&mut self, line: Line) -> Option<(Operation, Job)> {
        let queue = match line {
            Line::Conference => return None,
            Line::Media => &self.media,
            Line::Tones => &self.tones,
        };
        let operation = self.all.get_mut(queue.front()?)?;
        if operation.status != OperationStatus::NotStarted {
            return None;
        }
        operation.status = OperationStatus::Running;
        Some((operation.clone(), job_of(&operation.kind)?))
    }

    fn remember(&mut self, operation: Operation, remembered: usize) {
        self.order.push_back(operation.id);
        self.all.insert(operation.id, operation);
        while self.order.len() > remembered {
            let Some(oldest_finished) =
                self.order.iter().position(|id| self.all.get(id).is_none_or(|known| known.status.is_final()))
            else {
                return;
            };
            if let Some(id) = self.order.remove(oldest_finished) {
                self.all.remove(&id);
            }
        }
    }
}

pub(crate) struct Completed {
    pub(crate) operation: Operation,
    pub(crate) was_running: bool,
}

pub(crate) fn line_of(kind: &OperationKind) -> Line {
    match kind {
        OperationKind::SendDtmfTones { .. } => Line::Tones,
        OperationKind::CancelMediaProcessing
        | OperationKind::PlayPrompt { .. }
        | OperationKind::Record { .. }
        | OperationKind::SubscribeToTone => Line::Media,
        OperationKind::AddLargeGalleryView
        | OperationKind::InviteParticipants { .. }
        | OperationKind::MuteAll
        | OperationKind::MuteParticipant
        | OperationKind::StartHoldMusic
        | OperationKind::StopHoldMusic
        | OperationKind::UnmuteParticipant
        | OperationKind::UpdateRecordingStatus { .. } => Line::Conference,
    }
}

pub(crate) fn job_of(kind: &OperationKind) -> Option<Job> {
    match kind {
        OperationKind::PlayPrompt { prompts } => Some(Job::Play { prompts: prompts.clone() }),
        OperationKind::Record { params, .. } => Some(Job::Record { params: params.clone() }),
        OperationKind::SendDtmfTones { tones, delay_between_tones_ms, .. } => {
            Some(Job::SendTones { tones: tones.clone(), delay_ms: *delay_between_tones_ms })
        }
        OperationKind::AddLargeGalleryView
        | OperationKind::CancelMediaProcessing
        | OperationKind::InviteParticipants { .. }
        | OperationKind::MuteAll
        | OperationKind::MuteParticipant
        | OperationKind::StartHoldMusic
        | OperationKind::StopHoldMusic
        | OperationKind::SubscribeToTone
        | OperationKind::UnmuteParticipant
        | OperationKind::UpdateRecordingStatus { .. } => None,
    }
}

pub(crate) fn play(prompts: Vec<MediaPrompt>) -> OperationKind {
    OperationKind::PlayPrompt { prompts }
}

pub(crate) fn record(params: RecordParams) -> OperationKind {
    OperationKind::Record { params, completion: None, location: None, access_token: None }
}

pub(crate) fn send_tones(tones: Vec<Tone>, delay_between_tones_ms: u32) -> OperationKind {
    OperationKind::SendDtmfTones { tones, delay_between_tones_ms, completion: None }
}

/// Writes a result into an operation.
fn apply(operation: &mut Operation, result: JobResult) {
    let outcome = match (&mut operation.kind, result) {
        (
            OperationKind::Record { completion, location, access_token, .. },
            JobResult::Recorded { completion: why, location: at, access_token: token },
        ) => {
            (*completion, *location, *access_token) = (Some(why), at, token);
            outcome_of_recording(why)
        }
        (OperationKind::Record { completion, location, access_token, .. }, JobResult::Failed(why)) => {
            *completion = Some(completion_of_failed_recording(why));
            (*location, *access_token) = (Some(String::new()), Some(String::new()));
            why
        }
        (OperationKind::SendDtmfTones { completion, .. }, JobResult::TonesSent) => {
            *completion = Some(SendDtmfCompletion::CompletedSuccessfully);
            Outcome::ActionCompleted
        }
        (OperationKind::SendDtmfTones { completion, .. }, JobResult::Failed(why)) => {
            *completion = Some(if is_cancelled(why) {
                SendDtmfCompletion::MediaOperationCanceled
            } else {
                SendDtmfCompletion::Unknown
            });
            why
        }
        (_, JobResult::Failed(why)) => why,
        (_, JobResult::Done | JobResult::Played | JobResult::Recorded { .. } | JobResult::TonesSent) => {
            Outcome::ActionCompleted
        }
    };
    operation.outcome = Some(outcome);
    let is_success = (200..300).contains(&outcome.result_info().code);
    // sendDtmfTones completes whatever became of it (API page of sendDtmfTones).
    let always_completes = matches!(operation.kind, OperationKind::SendDtmfTones { .. });
    operation.status =
        if is_success || always_completes { OperationStatus::Completed } else { OperationStatus::Failed };
}

const fn outcome_of_recording(why: RecordCompletion) -> Outcome {
    match why {
        RecordCompletion::MaxRecordDurationReached => Outcome::RecordedMaxDuration,
        RecordCompletion::MaxSilenceTimeout => Outcome::RecordedMaxSilence,
        RecordCompletion::InitialSilenceTimeout => Outcome::RecordedInitialSilence,
        RecordCompletion::StopToneDetected => Outcome::RecordedStopTone,
        RecordCompletion::MediaReceiveTimeout => Outcome::RecordMediaTimeout,
        RecordCompletion::OperationCanceled => Outcome::OperationCancelled,
        RecordCompletion::PlayPromptFailed => Outcome::PromptDownloadFailed,
        RecordCompletion::PlayBeepFailed | RecordCompletion::UnspecifiedError => Outcome::InternalError,
    }
}

fn completion_of_failed_recording(why: Outcome) -> RecordCompletion {
    if is_cancelled(why) {
        RecordCompletion::OperationCanceled
    } else if matches!(why, Outcome::PromptDownloadFailed | Outcome::PromptInvalid) {
        RecordCompletion::PlayPromptFailed
    } else if why == Outcome::RecordMediaTimeout {
        RecordCompletion::MediaReceiveTimeout
    } else {
        RecordCompletion::UnspecifiedError
    }
}

const fn is_cancelled(why: Outcome) -> bool {
    matches!(why, Outcome::OperationCancelled | Outcome::CallEndedDuringOperation)
}
