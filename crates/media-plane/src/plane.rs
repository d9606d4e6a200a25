//! The handle that callers have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use media_engine::{
    Converters, FRAME_MS, Frame, MAX_PAYLOAD_BYTES, Player, PromptAudio, RecorderConfig, SampleRate, Tone,
    ToneGenerator, ToneSet,
};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use rtc_proto::rtp::FIXED_HEADER_LEN;
use rtc_proto::sdp::Negotiated;
use rtc_proto::srtp::MAX_OVERHEAD;
use rtrb::{Producer, RingBuffer};

use crate::command::{Command, Disposer, ToneJob};
use crate::event::{EventSender, MediaEvents};
use crate::files::{FileCommand, FileThread, NewTape};
use crate::leg::{Leg, MAX_KEYS, Media, PlayJob, Sockets, Transport, Workbench};
use crate::passage::Queue;
use crate::ports::{PortPool, RtpPort};
use crate::registry::Registry;
use crate::saves::{Order, SAVES, SaveThread};
use crate::socket::Socket;
use crate::stats::{PlaneStats, ThreadStats};
use crate::tape::{RING_SAMPLES, Tape};
use crate::thread::{MediaThread, Parts};
use crate::{Config, JobId, LegId, LegPort, PlaneError, clock};

/// Threads that fit into a leg's name.
const MAX_THREADS: usize = 256;

/// Legs of a thread that fit into a leg's name.
const MAX_LEGS_PER_THREAD: usize = 1 << 24;

/// Commands that may wait beside the close of every leg and mixer, which always finds room: what a thousand new calls a
/// second give in half a second.
const COMMANDS: usize = 4_096;

/// Events that may wait in a thread's ring; more wait behind it.
const EVENTS: usize = 4_096;

/// Recordings that may begin between two looks of the file thread.
const FILE_COMMANDS: usize = 4_096;

/// Ports that are tried before giving up, where other programs use the range too.
const PORT_TRIES: usize = 64;

/// The longest recording: below the size limit of WAV, and a bound on disk use.
const MAX_RECORDING: Duration = Duration::from_secs(4 * 3600);

/// A recording with the rules of the documented operation.
#[derive(Clone, Debug)]
pub struct RecordParams {
    /// Where the WAV file goes; beside it grows `<path>.part`.
    pub path: PathBuf,
    /// How long nobody may begin to speak.
    pub initial_silence: Duration,
    /// How long a pause may be.
    pub max_silence: Duration,
    /// How long it may be; at most four hours.
    pub max_duration: Duration,
    /// Keys that end it.
    pub stop_tones: ToneSet,
}

/// A capture of everything heard.
#[derive(Clone, Debug)]
pub struct TapeParams {
    /// Where the WAV file goes; beside it grows `<path>.part`.
    pub path: PathBuf,
    /// How long it may be; at most four hours.
    pub max_duration: Duration,
}

/// A steady tone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneSound {
    /// Its pitch.
    pub frequency_hz: f32,
    /// Its peak in units of a sample.
    pub amplitude: i16,
    /// Its length, rounded up to 20 ms; endless without.
    pub duration: Option<Duration>,
}

/// The media threads; clones speak of the same ones. Dropping the last clone stops them and finishes their
/// files.
#[derive(Clone, Debug)]
pub struct MediaPlane {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    registry: Arc<Mutex<Registry>>,
    threads: Vec<Thread>,
    stop: Arc<AtomicBool>,
    files: SyncSender<FileCommand>,
    file_stop: Arc<AtomicBool>,
    file_thread: Option<JoinHandle<()>>,
    save_thread: Option<JoinHandle<()>>,
}

struct Thread {
    commands: Mutex<Queue>,
    wake: Arc<EventFd>,
    stats: Arc<ThreadStats>,
    join: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

impl MediaPlane {
    /// Starts the threads, after raising the limit of open files as far as it goes.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::Setting`] for numbers out of range and [`PlaneError::System`] where threads or
    /// descriptors are refused.
    pub fn start(config: Config) -> Result<(Self, MediaEvents), PlaneError> {
        check(&config)?;
        raise_file_limit();
        let ports = PortPool::new(config.first_port, config.last_port);
        let registry = Registry::new(config.threads, config.max_legs_per_thread, ports, config.quarantine);
        let registry = Arc::new(Mutex::new(registry));
        let signal = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        let (disposers, disposals): (Vec<_>, Vec<_>) =
            (0..config.threads).map(|_| RingBuffer::new(closes(&config))).unzip();
        let (files, file_commands) = sync_channel(FILE_COMMANDS);
        let ((saves, saves_out), (saved_in, saved)) = (sync_channel(SAVES), sync_channel(SAVES));
        let (file_events, file_events_out) = RingBuffer::new(EVENTS);
        let file_stop = Arc::new(AtomicBool::new(false));
        let file_thread = FileThread {
            commands: file_commands,
            disposals,
            saves,
            saved,
            order: Order::default(),
            events: EventSender::new(file_events, Arc::clone(&signal), EVENTS),
            registry: Arc::clone(&registry),
            stop: Arc::clone(&file_stop),
            stats: ThreadStats::default(),
            open: BTreeMap::new(),
        };
        let file_thread =
            std::thread::Builder::new().name("media-files".into()).spawn(|| file_thread.run())?;
        let handle = file_thread.thread().clone();
        let mut inner = Inner {
            registry,
            threads: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            files,
            file_stop,
            file_thread: Some(file_thread),
            save_thread: None,
            config,
        };
        let saver = SaveThread { saves: saves_out, saved: saved_in, file_thread: handle.clone() };
        let save_thread = std::thread::Builder::new().name("media-saves".into());
        inner.save_thread = Some(save_thread.spawn(|| saver.run())?);
        // One for all threads: a leg that goes from one to another is still the same source.
        let cname = cname()?;
        let mut events = Vec::new();
        for (number, disposer) in disposers.into_iter().enumerate() {
            let (ring, out) = RingBuffer::new(EVENTS);
            events.push(out);
            let capacity = inner.config.max_legs_per_thread * 4;
            let events = EventSender::new(ring, Arc::clone(&signal), capacity);
            let disposer = Disposer::new(disposer, handle.clone(), closes(&inner.config));
            let thread = start_thread(&inner, number, cname.clone(), (events, disposer))?;
            inner.threads.push(thread);
        }
        Ok((Self { inner: Arc::new(inner) }, MediaEvents::new(signal, events, file_events_out)))
    }

    /// Binds a pair of sockets and gives the leg to the least loaded thread. Does not wait; callable from any
    /// task.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::TooManyLegs`], [`PlaneError::NoPort`], [`PlaneError::Busy`], or
    /// [`PlaneError::System`].
    pub fn open_leg(&self) -> Result<LegPort, PlaneError> {
        let leg = self.registry().reserve()?;
        self.open(leg)
    }

    /// Binds the sockets of a leg that has a place, or gives the place back.
    pub(crate) fn open(&self, leg: LegId) -> Result<LegPort, PlaneError> {
        let outcome = self.bind().and_then(|sockets| {
            let port = sockets.port;
            let opened = Command::Open(Box::new(Leg::new(leg, Transport::Sockets(sockets))));
            self.push(leg.thread(), opened).map(|()| port).map_err(|error| (Some(port), error))
        });
        match outcome {
            Ok(port) => {
                let address = |port| (self.inner.config.advertised_ip, port).into();
                Ok(LegPort { leg, rtp: address(port), rtcp: address(port + 1) })
            }
            Err((port, error)) => {
                self.registry().release(leg, port, clock::monotonic());
                Err(error)
            }
        }
    }

    /// Puts what was negotiated into force: the first time the leg begins to run, later it is held, resumed
    /// or moved.
    ///
    /// Streams go on where codec, payload types and keys are the same; jobs go on in any case.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::Busy`] or [`PlaneError::Crypto`].
    pub fn configure(&self, leg: LegId, negotiated: &Negotiated) -> Result<(), PlaneError> {
        let job_rate = self.registry().rate(leg).ok();
        let mut media = Box::new(Media::new(negotiated, job_rate)?);
        let is_member = self.registry().configured(leg, media.codec)?;
        media.converters = is_member.then(|| Box::new(Converters::new(media.codec.sample_rate())));
        self.push(leg.thread(), Command::Configure(leg, media))
    }

    /// Plays prompts one after the other, once or for ever. A sound that is playing ends cancelled.
    ///
    /// Converts prompts to the leg's rate unless that was done ([`PromptAudio::at_rate`]): do it ahead of
    /// time, where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn play(
        &self,
        leg: LegId,
        job: JobId,
        prompts: &[Arc<PromptAudio>],
        is_looped: bool,
    ) -> Result<(), PlaneError> {
        let rate = self.registry().rate(leg)?;
        let players = match prompts {
            [] | [_] => prompts.iter().map(|prompt| Player::new(prompt, rate, is_looped)).collect(),
            many if is_looped => vec![Player::new(&Arc::new(joined(many, rate)), rate, true)],
            many => many.iter().map(|prompt| Player::new(prompt, rate, false)).collect(),
        };
        self.push(leg.thread(), Command::Play(leg, Box::new(PlayJob::prompts(job, players))))
    }

    /// Plays a tone. A sound that is playing ends cancelled.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn play_tone(&self, leg: LegId, job: JobId, sound: ToneSound) -> Result<(), PlaneError> {
        self.registry().rate(leg)?;
        let generator = ToneGenerator::sine(sound.frequency_hz, sound.amplitude);
        let frames = |duration: Duration| duration.as_millis().div_ceil(u128::from(FRAME_MS)).max(1);
        let frames_left = sound.duration.map(|duration| u32::try_from(frames(duration)).unwrap_or(u32::MAX));
        self.push(leg.thread(), Command::Play(leg, Box::new(PlayJob::tone(job, generator, frames_left))))
    }

    /// Records what is heard until a rule ends it; the outcome is [`crate::JobOutcome::Recorded`].
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn record(&self, leg: LegId, job: JobId, params: RecordParams) -> Result<(), PlaneError> {
        let config = RecorderConfig {
            rate: self.registry().rate(leg)?,
            initial_silence: params.initial_silence,
            max_silence: params.max_silence,
            max_duration: params.max_duration.min(MAX_RECORDING),
            stop_tones: params.stop_tones,
        };
        self.start_tape(leg, job, params.path, |ring| Tape::record(leg, job, config, ring))
    }

    /// Keeps everything heard until the job is stopped or the leg closed.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn capture(&self, leg: LegId, job: JobId, params: TapeParams) -> Result<(), PlaneError> {
        let shape = (self.registry().rate(leg)?, params.max_duration.min(MAX_RECORDING));
        self.start_tape(leg, job, params.path, |ring| Tape::capture(leg, job, shape, ring))
    }

    /// Sends keys, as events where both ends know them, else as sound. Fails as a job while others are being
    /// sent.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn send_tones(&self, leg: LegId, job: JobId, tones: &[Tone], gap_ms: u32) -> Result<(), PlaneError> {
        self.registry().rate(leg)?;
        let tones = ToneJob { job, tones: tones.to_vec(), gap_ms };
        self.push(leg.thread(), Command::SendTones(leg, Box::new(tones)))
    }

    /// Sends back what is heard while nothing else is played.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn echo(&self, leg: LegId, is_echo: bool) -> Result<(), PlaneError> {
        self.registry().rate(leg)?;
        self.push(leg.thread(), Command::Echo(leg, is_echo))
    }

    /// Asks how a leg is: [`crate::MediaEvent::Sampled`] tells. Between two questions that are at most three seconds apart
    /// the level of what is heard is measured.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn sample(&self, leg: LegId) -> Result<(), PlaneError> {
        self.registry().rate(leg)?;
        self.push(leg.thread(), Command::Sample(leg, Box::default()))
    }

    /// Ends a job; its `JobDone` tells when it has ended. Nothing happens where it has already.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn stop(&self, leg: LegId, job: JobId) -> Result<(), PlaneError> {
        self.registry().rate(leg)?;
        self.push(leg.thread(), Command::Stop(leg, job))
    }

    /// Ends the leg: BYE by RTCP, all jobs, sockets; `Closed` is its last event.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] where it was closed before; never [`PlaneError::Busy`].
    pub fn close(&self, leg: LegId) -> Result<(), PlaneError> {
        self.registry().close(leg)?;
        self.push(leg.thread(), Command::Close(leg))
    }

    /// Counters since the start.
    pub fn stats(&self) -> PlaneStats {
        let (legs, mixers) = {
            let registry = self.registry();
            (registry.legs(), registry.mixers())
        };
        PlaneStats::sum(self.inner.threads.iter().map(|thread| &*thread.stats), legs, mixers)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.inner.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind(&self) -> Result<Sockets, (Option<RtpPort>, PlaneError)> {
        let ip = self.inner.config.bind_ip;
        for _ in 0..PORT_TRIES {
            let now = clock::monotonic();
            let port = self.registry().ports.take(now).ok_or((None, PlaneError::NoPort))?;
            let pair = Socket::bind(ip, port).and_then(|rtp| Ok((rtp, Socket::bind(ip, port + 1)?)));
            match pair {
                Ok((rtp, rtcp)) => return Ok(Sockets { port, rtp, rtcp }),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    self.registry().ports.give_back(port, now + self.inner.config.quarantine);
                }
                Err(error) => return Err((Some(port), error.into())),
            }
        }
        Err((None, PlaneError::NoPort))
    }

    fn start_tape(
        &self,
        leg: LegId,
        job: JobId,
        path: PathBuf,
        tape: impl FnOnce(Producer<i16>) -> Tape,
    ) -> Result<(), PlaneError> {
        let (ring, out) = RingBuffer::new(RING_SAMPLES);
        let new = FileCommand::Open(NewTape { leg, job, path, ring: out });
        self.inner.files.try_send(new).map_err(|_| PlaneError::Busy)?;
        self.wake_files();
        let pushed = self.push(leg.thread(), Command::Tape(leg, Box::new(tape(ring))));
        if pushed.is_err() {
            let _ = self.inner.files.try_send(FileCommand::Forget(leg, job));
        }
        pushed
    }

    fn wake_files(&self) {
        if let Some(join) = &self.inner.file_thread {
            join.thread().unpark();
        }
    }

    pub(crate) fn push(&self, thread: usize, command: Command) -> Result<(), PlaneError> {
        let thread = self.inner.threads.get(thread).ok_or(PlaneError::NoLeg)?;
        let mut commands = thread.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command)?;
        drop(commands);
        thread.wake.write(1)?;
        Ok(())
    }

    /// What wakes a thread.
    pub(crate) fn wake_of(&self, thread: usize) -> Result<Arc<EventFd>, PlaneError> {
        self.inner.threads.get(thread).map(|thread| Arc::clone(&thread.wake)).ok_or(PlaneError::NoLeg)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in &mut self.threads {
            let _ = thread.wake.write(1);
            let _ = thread.join.take().map(JoinHandle::join);
        }
        self.file_stop.store(true, Ordering::Release);
        if let Some(join) = self.file_thread.take() {
            join.thread().unpark();
            let _ = join.join();
        }
        // It ends when the file thread hands over no more.
        let _ = self.save_thread.take().map(JoinHandle::join);
    }
}

/// Closes that may come at once: of every leg, which may depart instead, and every mixer.
fn closes(config: &Config) -> usize {
    config.max_legs_per_thread * 2
}

fn check(config: &Config) -> Result<(), PlaneError> {
    if !(1..=MAX_THREADS).contains(&config.threads) {
        return Err(PlaneError::Setting("threads must be 1 to 256"));
    }
    if !(1..=MAX_LEGS_PER_THREAD).contains(&config.max_legs_per_thread) {
        return Err(PlaneError::Setting("legs per thread must be 1 to 16777216"));
    }
    if config.bind_ip.is_ipv4() != config.advertised_ip.is_ipv4() {
        return Err(PlaneError::Setting("bound and advertised address must be of one IP version"));
    }
    if PortPool::new(config.first_port, config.last_port).len() == 0 {
        return Err(PlaneError::Setting("port range holds no pair of an even port and the one above"));
    }
    Ok(())
}

/// Each leg has two sockets; the soft limit of many systems is 1,024 files.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(limit) => tracing::debug!(limit, "limit of open files raised"),
        Err(error) => tracing::warn!(%error, "failed to raise the limit of open files"),
    }
}

fn start_thread(
    inner: &Inner,
    number: usize,
    cname: String,
    (events, disposer): (EventSender, Disposer),
) -> Result<Thread, PlaneError> {
    let config = &inner.config;
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let (commands, out) = RingBuffer::new(COMMANDS + closes(config));
    let commands = Queue::new(commands, closes(config));
    let stats = Arc::new(ThreadStats::default());
    let bench = Workbench {
        heard: Frame::silence(SampleRate::Hz8000),
        said: Frame::silence(SampleRate::Hz8000),
        scratch: Frame::silence(SampleRate::Hz8000),
        bridged: Frame::silence(SampleRate::Hz8000),
        keys: Vec::with_capacity(MAX_KEYS),
        packet: [0; FIXED_HEADER_LEN + MAX_PAYLOAD_BYTES + MAX_OVERHEAD],
        events,
        disposer,
        stats: Arc::clone(&stats),
        lost_after: config.lost_after,
        cname,
    };
    let parts = Parts {
        wake: Arc::clone(&wake),
        commands: out,
        stop: Arc::clone(&inner.stop),
        max_legs: config.max_legs_per_thread,
        bench,
    };
    let thread = MediaThread::new(parts)?;
    let core = config.pinned_cores.get(number % config.pinned_cores.len().max(1)).copied();
    let join = std::thread::Builder::new().name(format!("media-{number}")).spawn(move || {
        if let Some(core) = core {
            pin(core);
        }
        thread.run();
    })?;
    Ok(Thread { commands: Mutex::new(commands), wake, stats, join: Some(join) })
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    if let Err(error) = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
        tracing::warn!(core, %error, "failed to pin a media thread");
    }
}

/// A name that says nothing of the host (RFC 7022).
fn cname() -> Result<String, PlaneError> {
    let mut octets = [0; 12];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| PlaneError::Crypto)?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

fn joined(prompts: &[Arc<PromptAudio>], rate: SampleRate) -> PromptAudio {
    let parts: Vec<Arc<[i16]>> = prompts.iter().map(|prompt| prompt.at_rate(rate)).collect();
    PromptAudio::from_samples(parts.iter().flat_map(|part| part.iter().copied()).collect(), rate.hz())
}
