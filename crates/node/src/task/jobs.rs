use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use call_engine::{Input, JobResult};
use media_engine::PromptAudio;
use media_plane::PlaneError;
use model::{AppId, MediaConfig, MediaPrompt, OperationId, Outcome, RecordCompletion, RecordParams, Tone};
use tokio::task::AbortHandle;

use super::{CallInput, CallTask};
use crate::context::Context;
use crate::media::{self, Job, JobOutcome, MediaPort, PortEvent};
use crate::prompts::Prefetch;
use crate::recordings::{self, NewRecording};

/// The media jobs of one call.
pub(super) struct Jobs {
    phases: BTreeMap<OperationId, Phase>,
    started: u64,
    /// Held so that it ends with the call.
    prefetch: Option<Prefetch>,
}

/// How far an operation's job is.
enum Phase {
    /// Its prompts are being fetched.
    Fetching { fetch: AbortHandle, then: Then },
    /// Its prompts are heard.
    Playing { at: Place, then: Then },
    /// It records.
    Recording { at: Place, recording: NewRecording },
    /// It sends keys.
    Sending { at: Place },
}

/// A job and the leg that does it. A call may move on to another leg meanwhile, and its leg may close.
struct Place {
    job: Job,
    media: Weak<MediaPort>,
}

/// What follows the prompts of an operation.
enum Then {
    /// Nothing.
    Finish,
    /// A recording.
    Record(Box<RecordParams>),
}

impl Phase {
    const fn at(&self) -> Option<&Place> {
        match self {
            Self::Fetching { .. } => None,
            Self::Playing { at, .. } | Self::Recording { at, .. } | Self::Sending { at } => Some(at),
        }
    }
}

impl Jobs {
    pub(super) const fn new(prefetch: Option<Prefetch>) -> Self {
        Self { phases: BTreeMap::new(), started: 0, prefetch }
    }

    /// Keeps what is fetched ahead of time for as long as the call lives.
    pub(super) fn keep(&mut self, prefetch: Option<Prefetch>) {
        self.prefetch = prefetch;
    }

    pub(super) fn next(&mut self) -> Job {
        self.started += 1;
        Job(self.started)
    }
}

/// Begins to fetch what a media configuration names ahead of time.
pub(super) fn prefetch(context: &Context, app: &AppId, media: &MediaConfig) -> Option<Prefetch> {
    match media {
        MediaConfig::ServiceHosted { pre_fetch_media, .. } if !pre_fetch_media.is_empty() => {
            Some(context.prompts.prefetch(app, pre_fetch_media.clone()))
        }
        MediaConfig::AppHosted { .. } | MediaConfig::ServiceHosted { .. } => None,
    }
}

impl CallTask {
    pub(super) fn start_job(&mut self, operation: OperationId, job: call_engine::Job) {
        match job {
            call_engine::Job::Play { prompts } => self.fetch(operation, prompts, Then::Finish),
            call_engine::Job::Record { params } if params.prompts.is_empty() && !params.play_beep => {
                self.record(operation, &params);
            }
            call_engine::Job::Record { params } => {
                self.fetch(operation, params.prompts.clone(), Then::Record(Box::new(params)));
            }
            call_engine::Job::SendTones { tones, delay_ms } => self.send_tones(operation, &tones, delay_ms),
        }
    }

    pub(super) fn cancel_job(&mut self, operation: OperationId) {
        let Some(phase) = self.jobs.phases.remove(&operation) else { return };
        if let Phase::Fetching { fetch, .. } = &phase {
            fetch.abort();
        }
        // What a recording has written so far is removed when its job reports the end.
        if let Some(at) = phase.at()
            && let Some(media) = at.media.upgrade()
        {
            media.stop(at.job);
        }
    }

    pub(super) fn prompts_ready(
        &mut self,
        operation: OperationId,
        prompts: Result<Vec<Arc<PromptAudio>>, Outcome>,
    ) {
        let Some(Phase::Fetching { then, .. }) = self.jobs.phases.remove(&operation) else { return };
        let prompts = match prompts {
            Ok(prompts) => prompts,
            Err(outcome) => return self.finish_job(operation, JobResult::Failed(outcome)),
        };
        match self.begin(|media, job| media.play(job, &prompts)) {
            Some(at) => drop(self.jobs.phases.insert(operation, Phase::Playing { at, then })),
            None => self.finish_job(operation, JobResult::Failed(Outcome::InternalError)),
        }
    }

    pub(super) fn job_done(&mut self, job: Job, outcome: JobOutcome) {
        let is_of = |phase: &Phase| phase.at().is_some_and(|at| at.job == job);
        let found = self.jobs.phases.iter().find(|(_, phase)| is_of(phase)).map(|(id, _)| *id);
        let Some((operation, phase)) = found.and_then(|id| Some((id, self.jobs.phases.remove(&id)?))) else {
            return media::discard(PortEvent::JobDone { job, outcome });
        };
        match (phase, outcome) {
            (Phase::Playing { then: Then::Finish, .. }, JobOutcome::Done) => {
                self.finish_job(operation, JobResult::Played);
            }
            (Phase::Playing { then: Then::Record(params), .. }, JobOutcome::Done) => {
                self.record(operation, &params);
            }
            (Phase::Recording { recording, .. }, JobOutcome::Recorded { completion, .. }) => {
                self.recorded(operation, recording, completion);
            }
            (Phase::Sending { .. }, JobOutcome::Done) => self.finish_job(operation, JobResult::TonesSent),
            // A job that nobody here cancelled was cancelled by the end of its leg, which the call hears of by itself.
            (_, JobOutcome::Cancelled) => {
                self.finish_job(operation, JobResult::Failed(Outcome::CallEndedDuringOperation));
            }
            (_, JobOutcome::Done | JobOutcome::Failed | JobOutcome::Recorded { .. }) => {
                self.finish_job(operation, JobResult::Failed(Outcome::InternalError));
            }
        }
    }

    fn finish_job(&mut self, operation: OperationId, result: JobResult) {
        self.feed(Input::JobEnded { operation, result });
    }

    /// Fetches prompts and makes them ready to play, off the call's task.
    fn fetch(&mut self, operation: OperationId, prompts: Vec<MediaPrompt>, then: Then) {
        let Some(rate) = self.media_port().map(|media| media.rate()) else {
            return self.finish_job(operation, JobResult::Failed(Outcome::InternalError));
        };
        let beeps = matches!(&then, Then::Record(params) if params.play_beep);
        let (cache, app, own) =
            (self.context.prompts.clone(), self.engine.record().app.clone(), self.own.downgrade());
        let fetch = tokio::spawn(async move {
            let prompts = cache.load_all(&app, &prompts, rate, beeps).await;
            if let Some(own) = own.upgrade() {
                // A call that is over plays nothing.
                let _ = own.end(CallInput::Prompts { operation, prompts });
            }
        });
        self.jobs.phases.insert(operation, Phase::Fetching { fetch: fetch.abort_handle(), then });
    }

    fn record(&mut self, operation: OperationId, params: &RecordParams) {
        let begun = recordings::prepare(&self.context.config).ok().and_then(|recording| {
            let at = self.begin(|media, job| media.record(job, params, &recording.path))?;
            Some(Phase::Recording { at, recording })
        });
        match begun {
            Some(phase) => drop(self.jobs.phases.insert(operation, phase)),
            None => self.finish_job(operation, JobResult::Failed(Outcome::InternalError)),
        }
    }

    /// Begins a job on the media that the call has now; `None` where it cannot be done.
    fn begin(&mut self, begin: impl FnOnce(&MediaPort, Job) -> Result<(), PlaneError>) -> Option<Place> {
        let job = self.jobs.next();
        let media = self.media_port()?;
        begin(media, job).ok()?;
        Some(Place { job, media: Arc::downgrade(media) })
    }

    /// Makes a finished recording fetchable; its row goes into the transaction that completes the operation.
    fn recorded(&mut self, operation: OperationId, recording: NewRecording, completion: RecordCompletion) {
        let location = recording.location(&self.context.config);
        let access_token = recording.access_token.clone();
        let call = self.engine.record().id;
        let row = recording.into_row(&self.context.config, call, operation, self.context.clock.wall());
        self.recordings.push(row);
        let (location, access_token) = (Some(location), Some(access_token));
        self.finish_job(operation, JobResult::Recorded { completion, location, access_token });
    }

    fn send_tones(&mut self, operation: OperationId, tones: &[Tone], delay_ms: u32) {
        match self.begin(|media, job| media.send_tones(job, tones, delay_ms)) {
            Some(at) => drop(self.jobs.phases.insert(operation, Phase::Sending { at })),
            None => self.finish_job(operation, JobResult::Failed(Outcome::InternalError)),
        }
    }
}
