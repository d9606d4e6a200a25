//! The way to and from the media threads.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media_engine::{PromptAudio, RecordOutcome, SampleRate, ToneSet};
use media_plane::{
    JobId, LegId, MediaEvent, MediaEvents, MediaPlane, MemberConfig, MixerConfig, MixerId, PlaneError,
    RecordingEnd, Route,
};
use model::{ParticipantId, RecordCompletion, RecordParams, Tone};
use rtc_proto::sdp::{LocalKeys, Negotiated};
use rtc_proto::srtp::{MAX_MASTER_LEN, Suite};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::conference::ConferenceTaskInput;
use crate::inputs::Inputs;
use crate::task::CallInput;

/// The media threads, and who listens to which leg and mixer.
#[derive(Clone)]
pub(crate) struct Media {
    plane: MediaPlane,
    legs: Arc<Legs>,
}

#[derive(Default)]
struct Legs {
    listeners: Mutex<BTreeMap<LegId, Listener>>,
    mixers: Mutex<BTreeMap<MixerId, Inputs<ConferenceTaskInput>>>,
    closed: Notify,
}

/// Who is told of a leg's events.
#[derive(Clone)]
enum Listener {
    Call(Inputs<CallInput>),
    Conference {
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
        /// The call that began the leg's jobs, where that was before the leg came to the conference.
        jobs: Option<Inputs<CallInput>>,
    },
    Script(mpsc::Sender<PortEvent>),
    /// Nobody any more; the leg is being closed.
    Nobody,
}

/// A job of a media leg, numbered by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job(pub(crate) u64);

/// What a media leg reports.
#[derive(Debug)]
pub(crate) enum PortEvent {
    JobDone {
        job: Job,
        outcome: JobOutcome,
    },
    /// Nothing has come for too long.
    Lost,
    Tone(Tone),
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum JobOutcome {
    Cancelled,
    Done,
    Failed,
    Recorded { completion: RecordCompletion, path: PathBuf },
}

/// Events that may wait for a scripted endpoint, which only awaits the end of what it keeps.
const SCRIPT_QUEUE: usize = 16;

/// The longest that a scripted endpoint keeps of what it hears.
const LONGEST_CAPTURE: Duration = Duration::from_secs(3600);

/// Loudness of a script's tone: a fifth of full scale, like speech.
const TONE_AMPLITUDE: i16 = 6_500;

impl Media {
    /// Starts the threads and the task that passes on what they report.
    pub(crate) fn start(config: media_plane::Config) -> Result<Self, PlaneError> {
        let (plane, events) = MediaPlane::start(config)?;
        let legs = Arc::<Legs>::default();
        tokio::spawn(dispatch(watch(events)?, Arc::clone(&legs)));
        Ok(Self { plane, legs })
    }

    /// Opens a leg that reports to a call.
    pub(crate) fn open_for_call(&self, call: Inputs<CallInput>) -> Result<MediaPort, PlaneError> {
        self.open(self.plane.open_leg()?, Listener::Call(call))
    }

    /// Opens a leg for a person of a conference.
    pub(crate) fn open_for_person(
        &self,
        mixer: MixerId,
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
    ) -> Result<MediaPort, PlaneError> {
        let listener = Listener::Conference { conference, participant, jobs: None };
        self.open(self.plane.open_leg_at(mixer)?, listener)
    }

    /// Opens the place of a call in a conference: what it plays is heard there, what it records is heard there.
    pub(crate) fn open_for_member(
        &self,
        mixer: MixerId,
        call: Inputs<CallInput>,
    ) -> Result<MediaPort, PlaneError> {
        let leg = self.plane.open_virtual_leg(mixer)?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let port = media_plane::LegPort { leg, rtp: nowhere, rtcp: nowhere };
        let port = self.open(port, Listener::Call(call))?;
        *port.rate.lock().unwrap_or_else(PoisonError::into_inner) = SampleRate::Hz16000;
        Ok(port)
    }

    /// Opens a mixer, on the thread of a leg that is to be in it where there is one.
    pub(crate) fn open_mixer(
        &self,
        config: MixerConfig,
        near: Option<LegId>,
        conference: Inputs<ConferenceTaskInput>,
    ) -> Result<MixerPort, PlaneError> {
        let id = self.plane.open_mixer(config, near)?;
        self.legs.mixers().insert(id, conference);
        Ok(MixerPort { media: self.clone(), id })
    }

    /// Opens a leg that reports to a scripted endpoint.
    pub(crate) fn open_for_script(&self) -> Result<(MediaPort, mpsc::Receiver<PortEvent>), PlaneError> {
        let (events, received) = mpsc::channel(SCRIPT_QUEUE);
        Ok((self.open(self.plane.open_leg()?, Listener::Script(events))?, received))
    }

    /// Counters since the start.
    pub(crate) fn stats(&self) -> media_plane::PlaneStats {
        self.plane.stats()
    }

    /// Waits until every leg is closed and its files are finished.
    pub(crate) async fn idle(&self) {
        loop {
            let closed = self.legs.closed.notified();
            if self.legs.lock().is_empty() {
                return;
            }
            closed.await;
        }
    }

    fn open(&self, port: media_plane::LegPort, listener: Listener) -> Result<MediaPort, PlaneError> {
        self.legs.lock().insert(port.leg, listener);
        Ok(MediaPort { media: self.clone(), port, rate: Mutex::new(SampleRate::Hz8000) })
    }
}

impl Legs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LegId, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mixers(&self) -> MutexGuard<'_, BTreeMap<MixerId, Inputs<ConferenceTaskInput>>> {
        self.mixers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listener(&self, leg: LegId) -> Listener {
        self.lock().get(&leg).cloned().unwrap_or(Listener::Nobody)
    }
}

/// One end of the media: a pair of ports and what is done with what passes. Dropping it closes them.
pub(crate) struct MediaPort {
    media: Media,
    port: media_plane::LegPort,
    rate: Mutex<SampleRate>,
}

impl MediaPort {
    /// The leg's name among the media threads.
    pub(crate) const fn leg(&self) -> LegId {
        self.port.leg
    }

    /// Reports to a conference from here on; jobs that a call has begun still report to it.
    pub(crate) fn move_to(
        &self,
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
        jobs: Inputs<CallInput>,
    ) {
        let listener = Listener::Conference { conference, participant, jobs: Some(jobs) };
        self.media.legs.lock().insert(self.port.leg, listener);
    }

    /// Where the far end sends RTP.
    pub(crate) const fn rtp(&self) -> SocketAddr {
        self.port.rtp
    }

    /// Where the far end sends RTCP.
    pub(crate) const fn rtcp(&self) -> SocketAddr {
        self.port.rtcp
    }

    /// A number for the session description, unique among the legs of this node.
    pub(crate) const fn session_id(&self) -> u64 {
        self.port.leg.as_u64()
    }

    /// The rate that prompts are best converted to before they are played.
    pub(crate) fn rate(&self) -> SampleRate {
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what was negotiated into force.
    pub(crate) fn configure(&self, negotiated: &Negotiated) -> Result<(), PlaneError> {
        self.media.plane.configure(self.port.leg, negotiated)?;
        let rate = match negotiated.codec {
            rtc_proto::Codec::G722 => SampleRate::Hz16000,
            rtc_proto::Codec::Opus => SampleRate::Hz48000,
            rtc_proto::Codec::Pcma | rtc_proto::Codec::Pcmu => SampleRate::Hz8000,
        };
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = rate;
        Ok(())
    }

    /// Plays prompts one after the other.
    pub(crate) fn play(&self, job: Job, prompts: &[Arc<PromptAudio>]) -> Result<(), PlaneError> {
        self.media.plane.play(self.port.leg, job.into(), prompts, false)
    }

    /// Plays a prompt again and again.
    pub(crate) fn play_looped(&self, job: Job, prompt: Arc<PromptAudio>) -> Result<(), PlaneError> {
        self.media.plane.play(self.port.leg, job.into(), &[prompt], true)
    }

    /// Plays a tone without end.
    pub(crate) fn play_tone(&self, job: Job, frequency_hz: u32) -> Result<(), PlaneError> {
        let frequency_hz = frequency_hz as f32;
        let sound = media_plane::ToneSound { frequency_hz, amplitude: TONE_AMPLITUDE, duration: None };
        self.media.plane.play_tone(self.port.leg, job.into(), sound)
    }

    /// Records as `recordResponse` asks, without its prompt and beep.
    pub(crate) fn record(&self, job: Job, params: &RecordParams, path: &Path) -> Result<(), PlaneError> {
        let stop_tones =
            params.stop_tones.iter().fold(ToneSet::default(), |set, tone| set.with(engine_tone(*tone)));
        let params = media_plane::RecordParams {
            path: path.to_path_buf(),
            initial_silence: params.initial_silence_timeout,
            max_silence: params.max_silence_timeout,
            max_duration: params.max_record_duration,
            stop_tones,
        };
        self.media.plane.record(self.port.leg, job.into(), params)
    }

    /// Keeps everything that is heard.
    pub(crate) fn capture(&self, job: Job, path: &Path) -> Result<(), PlaneError> {
        let params = media_plane::TapeParams { path: path.to_path_buf(), max_duration: LONGEST_CAPTURE };
        self.media.plane.capture(self.port.leg, job.into(), params)
    }

    /// Sends keys.
    pub(crate) fn send_tones(&self, job: Job, tones: &[Tone], gap_ms: u32) -> Result<(), PlaneError> {
        let tones: Vec<_> = tones.iter().copied().map(engine_tone).collect();
        self.media.plane.send_tones(self.port.leg, job.into(), &tones, gap_ms)
    }

    /// Sends back what is heard.
    pub(crate) fn echo(&self, is_echo: bool) -> Result<(), PlaneError> {
        self.media.plane.echo(self.port.leg, is_echo)
    }

    /// Ends a job.
    pub(crate) fn stop(&self, job: Job) {
        if let Err(error) = self.media.plane.stop(self.port.leg, job.into()) {
            tracing::warn!(%error, "failed to stop a media job");
        }
    }
}

impl Drop for MediaPort {
    fn drop(&mut self) {
        self.media.legs.lock().insert(self.port.leg, Listener::Nobody);
        if let Err(error) = self.media.plane.close(self.port.leg) {
            tracing::error!(%error, "failed to close a media leg");
        }
    }
}

/// What lets the legs of a conference hear each other. Dropping it closes it.
pub(crate) struct MixerPort {
    media: Media,
    id: MixerId,
}

impl MixerPort {
    pub(crate) const fn id(&self) -> MixerId {
        self.id
    }

    pub(crate) fn join(&self, leg: LegId) {
        self.log(self.media.plane.join(leg, self.id, MemberConfig::default()), "join a leg");
    }

    pub(crate) fn leave(&self, leg: LegId) {
        self.log(self.media.plane.leave(leg), "take out a leg");
    }

    pub(crate) fn set_muted(&self, leg: LegId, is_muted: bool) {
        self.log(self.media.plane.set_muted(leg, is_muted), "mute a leg");
    }

    pub(crate) fn set_route(&self, leg: LegId, route: Route) {
        self.log(self.media.plane.set_route(leg, route), "route a leg");
    }

    /// A leg that has just closed reports that by itself.
    fn log(&self, done: Result<(), PlaneError>, what: &str) {
        match done {
            Ok(()) | Err(PlaneError::NoLeg) => {}
            Err(error) => tracing::error!(mixer.id = ?self.id, %error, "failed to {what}"),
        }
    }
}

impl Drop for MixerPort {
    fn drop(&mut self) {
        self.media.legs.mixers().remove(&self.id);
        if let Err(error) = self.media.plane.close_mixer(self.id) {
            tracing::error!(%error, "failed to close a mixer");
        }
    }
}

impl From<Job> for JobId {
    fn from(job: Job) -> Self {
        Self(job.0)
    }
}

/// Key material for one leg; `None` where the system has no randomness.
pub(crate) fn local_keys() -> Option<LocalKeys> {
    let mut random = [[0; MAX_MASTER_LEN]; Suite::ALL.len()];
    getrandom::fill(random.as_flattened_mut()).ok()?;
    Some(LocalKeys::new(random))
}

/// The events' descriptor, as the runtime watches it.
struct Readable(MediaEvents);

impl AsFd for Readable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Readable {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[expect(
    deprecated,
    reason = "its successor asks for unsafe code to promise what `Readable` keeps: one descriptor for life"
)]
fn watch(events: MediaEvents) -> io::Result<AsyncFd<Readable>> {
    AsyncFd::new(Readable(events))
}

/// Passes on what the media threads report, for as long as they run.
async fn dispatch(mut events: AsyncFd<Readable>, legs: Arc<Legs>) {
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
        MediaEvent::Lost { leg } => (leg, PortEvent::Lost),
        MediaEvent::Tone { leg, tone } => (leg, PortEvent::Tone(model_tone(tone))),
    };
    let unheard = match legs.listener(leg) {
        Listener::Call(call) => tell_call(&call, event),
        Listener::Conference { jobs: Some(call), .. } if matches!(event, PortEvent::JobDone { .. }) => {
            tell_call(&call, event)
        }
        Listener::Conference { conference, participant, .. } => {
            tell_conference(&conference, participant, event);
            None
        }
        Listener::Script(script) => script.try_send(event).err().map(TrySendError::into_inner),
        Listener::Nobody => Some(event),
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

/// The same for the leg of a person in a conference, which has no recordings.
fn tell_conference(conference: &Inputs<ConferenceTaskInput>, participant: ParticipantId, event: PortEvent) {
    let is_key = matches!(event, PortEvent::Tone(_));
    let input = ConferenceTaskInput::Media { participant, event };
    // A conference that is over has no use for it.
    if is_key {
        let _ = conference.tell(input);
    } else {
        let _ = conference.end(input);
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

/// The two words for a key differ in how they are made, not in what they mean.
fn engine_tone(tone: Tone) -> media_engine::Tone {
    media_engine::Tone::from_char(tone.key()).unwrap_or(media_engine::Tone::Flash)
}

fn model_tone(tone: media_engine::Tone) -> Tone {
    Tone::from_key(tone.key()).unwrap_or(Tone::Flash)
}
