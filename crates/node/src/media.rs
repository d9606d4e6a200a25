//! The way to and from the media threads.

mod report;
mod sample;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use media_engine::{PromptAudio, SampleRate, ToneSet};
use media_plane::{
    JobId, LegId, MediaPlane, MemberConfig, MixerConfig, MixerId, PipePort, PlaneError, Route, StreamConfig,
    StreamPort,
};
use model::{ParticipantId, RecordCompletion, RecordParams, Tone};
use rtc_proto::sdp::{LocalKeys, Negotiated};
use rtc_proto::srtp::{MAX_MASTER_LEN, Suite};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};

pub(crate) use self::report::discard;
use self::report::dispatch;
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
    samples: Mutex<sample::Asked>,
}

/// Who is told of a leg's events.
#[derive(Clone)]
enum Listener {
    /// The application's own end of a call.
    Application(Inputs<CallInput>),
    Call(Inputs<CallInput>),
    Conference {
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
        /// The call that began the leg's jobs, where that was before the leg came to the conference.
        jobs: Option<Inputs<CallInput>>,
    },
    /// The leg is being closed, and a call waits for the ends of jobs that it had begun there.
    Closing(Inputs<CallInput>),
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

/// Events that may wait for a scripted endpoint, which only awaits the end of what it keeps, or for whoever attends a
/// caller, who does not wait for ever for the end of what is said.
const SCRIPT_QUEUE: usize = 16;

/// Members of a mixer for two: each may come anew before its former leg has gone.
const BRIDGED: usize = 8;

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

    /// The same on the thread of a mixer, so that it can be a member.
    pub(crate) fn open_for_call_at(
        &self,
        mixer: MixerId,
        call: Inputs<CallInput>,
    ) -> Result<MediaPort, PlaneError> {
        self.open(self.plane.open_leg_at(mixer)?, Listener::Call(call))
    }

    /// Opens the end of an application that says and hears through a stream.
    pub(crate) fn open_for_application(
        &self,
        mixer: MixerId,
        call: Inputs<CallInput>,
    ) -> Result<MediaPort, PlaneError> {
        let leg = self.plane.open_virtual_leg(mixer)?;
        self.open(without_address(leg), Listener::Application(call))
    }

    /// Opens the end of an application that sends and takes packets at an address of its own.
    pub(crate) fn open_for_application_at_address(
        &self,
        mixer: MixerId,
        call: Inputs<CallInput>,
    ) -> Result<MediaPort, PlaneError> {
        self.open(self.plane.open_leg_at(mixer)?, Listener::Application(call))
    }

    /// Opens the end of an application whose packets another task sends and takes.
    pub(crate) fn open_piped_for_application(
        &self,
        mixer: MixerId,
        call: Inputs<CallInput>,
    ) -> Result<(MediaPort, PipePort), PlaneError> {
        let (leg, pipe) = self.plane.open_piped_leg(Some(mixer))?;
        Ok((self.open(without_address(leg), Listener::Application(call))?, pipe))
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
        let port = self.open(without_address(leg), Listener::Call(call))?;
        *port.rate.lock().unwrap_or_else(PoisonError::into_inner) = SampleRate::Hz16000;
        Ok(port)
    }

    /// Opens what is heard in a mixer besides its members: it plays, and nobody waits for its end.
    pub(crate) fn open_bell(&self, mixer: MixerId) -> Result<MediaPort, PlaneError> {
        self.open(without_address(self.plane.open_virtual_leg(mixer)?), Listener::Nobody)
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

    /// Opens a mixer for an application and one person.
    pub(crate) fn open_bridge(&self) -> Result<MixerPort, PlaneError> {
        let config = MixerConfig { max_members: BRIDGED, ..MixerConfig::default() };
        let id = self.plane.open_mixer(config, None)?;
        Ok(MixerPort { media: self.clone(), id })
    }

    /// Opens a leg that reports to a scripted endpoint, or to whoever attends a caller.
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
        let (leg, rate) = (RwLock::new(port.leg), Mutex::new(SampleRate::Hz8000));
        Ok(MediaPort { media: self.clone(), port, leg, rate })
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
    /// As it was opened.
    port: media_plane::LegPort,
    /// Its name now. Locked while something is asked of the leg, so that nothing is asked under a name that it has just
    /// lost.
    leg: RwLock<LegId>,
    rate: Mutex<SampleRate>,
}

impl MediaPort {
    /// The leg's name among the media threads, until it is brought to another of them.
    pub(crate) fn leg(&self) -> LegId {
        *self.name()
    }

    fn name(&self) -> RwLockReadGuard<'_, LegId> {
        self.leg.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the leg to the media thread of a mixer, so that it can be a member; nothing happens where it is there.
    ///
    /// It has another name then. What it was doing ends cancelled but for an application's stream, it is in no mixer, and
    /// the far end hears a frame or two of silence. Whoever is told of its events is told of those under both names, ends of its former jobs among them.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoMixer`], [`PlaneError::TooManyLegs`] or [`PlaneError::Busy`]; the leg stays what and where it
    /// was then.
    pub(crate) fn bring_to(&self, mixer: MixerId) -> Result<(), PlaneError> {
        let mut leg = self.leg.write().unwrap_or_else(PoisonError::into_inner);
        // Locked before the leg has its new name: no event of it may come before somebody listens.
        let mut listeners = self.media.legs.lock();
        let to = self.media.plane.bring(*leg, mixer)?;
        if to != *leg {
            // The old name is listened to until it is heard of for the last time.
            let listener = listeners.get(&leg).cloned().unwrap_or(Listener::Nobody);
            listeners.insert(to, listener);
            *leg = to;
        }
        Ok(())
    }

    /// Reports to a call from here on.
    pub(crate) fn move_to_call(&self, call: Inputs<CallInput>) {
        let leg = self.name();
        self.media.legs.lock().insert(*leg, Listener::Call(call));
    }

    /// Reports to a conference from here on; jobs that a call has begun still report to that where it is named.
    pub(crate) fn move_to(
        &self,
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
        jobs: Option<Inputs<CallInput>>,
    ) {
        let listener = Listener::Conference { conference, participant, jobs };
        let leg = self.name();
        self.media.legs.lock().insert(*leg, listener);
    }

    /// Where the far end sends RTP.
    pub(crate) const fn rtp(&self) -> SocketAddr {
        self.port.rtp
    }

    /// Where the far end sends RTCP.
    pub(crate) const fn rtcp(&self) -> SocketAddr {
        self.port.rtcp
    }

    /// A number for the session description, unique among the legs of this node and the same wherever the leg is.
    pub(crate) const fn session_id(&self) -> u64 {
        self.port.leg.as_u64()
    }

    /// The rate that prompts are best converted to before they are played.
    pub(crate) fn rate(&self) -> SampleRate {
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what was negotiated into force.
    pub(crate) fn configure(&self, negotiated: &Negotiated) -> Result<(), PlaneError> {
        self.media.plane.configure(*self.name(), negotiated)?;
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
        self.media.plane.play(*self.name(), job.into(), prompts, false)
    }

    /// Plays a prompt again and again.
    pub(crate) fn play_looped(&self, job: Job, prompt: Arc<PromptAudio>) -> Result<(), PlaneError> {
        self.media.plane.play(*self.name(), job.into(), &[prompt], true)
    }

    /// Plays a tone without end.
    pub(crate) fn play_tone(&self, job: Job, frequency_hz: u32) -> Result<(), PlaneError> {
        let frequency_hz = frequency_hz as f32;
        let sound = media_plane::ToneSound { frequency_hz, amplitude: TONE_AMPLITUDE, duration: None };
        self.media.plane.play_tone(*self.name(), job.into(), sound)
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
        self.media.plane.record(*self.name(), job.into(), params)
    }

    /// Lets an application say and hear through this leg, which has no connection of its own.
    pub(crate) fn open_stream(&self, config: StreamConfig) -> Result<StreamPort, PlaneError> {
        self.media.plane.open_stream(*self.name(), config)
    }

    /// Keeps everything that is heard.
    pub(crate) fn capture(&self, job: Job, path: &Path) -> Result<(), PlaneError> {
        let params = media_plane::TapeParams { path: path.to_path_buf(), max_duration: LONGEST_CAPTURE };
        self.media.plane.capture(*self.name(), job.into(), params)
    }

    /// Sends keys.
    pub(crate) fn send_tones(&self, job: Job, tones: &[Tone], gap_ms: u32) -> Result<(), PlaneError> {
        let tones: Vec<_> = tones.iter().copied().map(engine_tone).collect();
        self.media.plane.send_tones(*self.name(), job.into(), &tones, gap_ms)
    }

    /// Sends back what is heard.
    pub(crate) fn echo(&self, is_echo: bool) -> Result<(), PlaneError> {
        self.media.plane.echo(*self.name(), is_echo)
    }

    /// Ends a job.
    pub(crate) fn stop(&self, job: Job) {
        if let Err(error) = self.media.plane.stop(*self.name(), job.into()) {
            tracing::warn!(%error, "failed to stop a media job");
        }
    }
}

impl Drop for MediaPort {
    fn drop(&mut self) {
        let leg = *self.name();
        let mut listeners = self.media.legs.lock();
        let jobs = match listeners.get(&leg) {
            Some(Listener::Call(call) | Listener::Closing(call)) => Some(call.clone()),
            Some(Listener::Conference { jobs, .. }) => jobs.clone(),
            Some(Listener::Application(_) | Listener::Script(_) | Listener::Nobody) | None => None,
        };
        listeners.insert(leg, jobs.map_or(Listener::Nobody, Listener::Closing));
        drop(listeners);
        if let Err(error) = self.media.plane.close(leg) {
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

/// The place of a leg that has no address of its own.
fn without_address(leg: LegId) -> media_plane::LegPort {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    media_plane::LegPort { leg, rtp: nowhere, rtcp: nowhere }
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

/// One end of a ring to a media thread, as the runtime watches its descriptor.
#[derive(Debug)]
pub(crate) struct Watched<T>(pub(crate) T);

impl<T: AsFd> AsRawFd for Watched<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[expect(
    deprecated,
    reason = "its successor asks for unsafe code to promise what the ends of rings keep: one descriptor for life"
)]
pub(crate) fn watch<T: AsFd>(end: T) -> io::Result<AsyncFd<Watched<T>>> {
    AsyncFd::new(Watched(end))
}

/// The two words for a key differ in how they are made, not in what they mean.
fn engine_tone(tone: Tone) -> media_engine::Tone {
    media_engine::Tone::from_char(tone.key()).unwrap_or(media_engine::Tone::Flash)
}

#[cfg(test)]
mod tests;
