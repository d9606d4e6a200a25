//! The sound of one call: a leg with sockets, and one without that hears it frame by frame.

use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use media_engine::Tone;
use media_plane::{
    Config, JobId, JobOutcome, LegPort, MediaEvent, MediaEvents, MediaPlane, MemberConfig, MixerConfig,
    PlaneError, StreamConfig, StreamPort, ToneSound,
};
use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, LocalKeys, LocalMedia, Negotiated, Negotiator, SrtpPolicy};
use rtc_proto::srtp::{MAX_MASTER_LEN, Suite};
use tokio::io::unix::AsyncFd;

use crate::listen::RATE_HZ;
use crate::phone::SetupError;
use crate::plan::Sound;

/// Codecs in the order in which they are offered: the best sound first.
const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// Ports that one telephone chooses from, so that many on one machine seldom try the same ones first.
const PORTS: u16 = 1_000;
/// Where those begin: below the ports that systems give away by themselves, and apart from a server's.
const FIRST_PORTS: std::ops::Range<u16> = 10_000..19_000;

/// Loudness of a tone: a fifth of full scale, like speech.
const TONE_AMPLITUDE: i16 = 6_500;

/// Between two keys.
const KEY_GAP_MS: u32 = 100;

/// What a telephone has heard since its call was answered: mono, 16 bit, 16 kHz. Clones speak of the same sound, which
/// can be read while the call goes on.
#[derive(Clone, Debug)]
pub struct HeardSound {
    samples: Arc<Mutex<Vec<i16>>>,
    max_samples: usize,
}

impl HeardSound {
    /// Nothing yet; keeps so much of the beginning.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        let max_samples = longest.as_secs().saturating_mul(u64::from(RATE_HZ));
        Self { samples: Arc::default(), max_samples: usize::try_from(max_samples).unwrap_or(usize::MAX) }
    }

    /// A WAV file of it.
    #[must_use]
    pub fn wav(&self) -> Vec<u8> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        media_engine::wav_file(RATE_HZ, &samples)
    }

    fn push(&self, frame: &[i16]) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() + frame.len() <= self.max_samples {
            samples.extend_from_slice(frame);
        }
    }
}

/// The sound of one call.
pub(crate) struct Media {
    plane: MediaPlane,
    leg: LegPort,
    pub(crate) negotiator: Negotiator,
    heard: HeardSound,
}

/// What a telephone's media tells.
pub(crate) enum MediaNews {
    Key(Tone),
    /// Nothing has come for long although something should.
    Lost,
    Played {
        job: u64,
        is_done: bool,
    },
}

/// The two ends that are waited at.
pub(crate) struct Ears {
    events: AsyncFd<MediaEvents>,
    stream: AsyncFd<StreamPort>,
}

/// What there is to hear.
pub(crate) enum Ready {
    Events,
    Frames,
}

impl Media {
    /// Opens the ports, and begins to listen.
    pub(crate) fn open(ip: IpAddr, heard: HeardSound) -> Result<(Self, Ears), SetupError> {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(|_| SetupError::NoRandomness)?;
        let places = (FIRST_PORTS.end - FIRST_PORTS.start) / 2;
        let first_port = FIRST_PORTS.start + u16::from_ne_bytes(random) % places * 2;
        let config = Config {
            bind_ip: ip,
            advertised_ip: ip,
            first_port,
            last_port: first_port + PORTS - 1,
            max_legs_per_thread: 2,
            ..Config::default()
        };
        let (plane, events) = MediaPlane::start(config)?;
        let leg = plane.open_leg()?;
        let mixer =
            plane.open_mixer(MixerConfig { max_members: 2, ..MixerConfig::default() }, Some(leg.leg))?;
        let listener = plane.open_virtual_leg(mixer)?;
        let stream = plane.open_stream(listener, StreamConfig::default())?;
        for member in [leg.leg, listener] {
            plane.join(member, mixer, MemberConfig::default())?;
        }
        let ears = Ears { events: watch(events)?, stream: watch(stream)? };
        let negotiator = negotiator(&leg)?;
        Ok((Self { plane, leg, negotiator, heard }, ears))
    }

    /// Puts into force what was negotiated; says whether the far end listens to this side, that is, does not hold it.
    pub(crate) fn configure(&self, negotiated: &Negotiated) -> Result<bool, PlaneError> {
        self.plane.configure(self.leg.leg, negotiated)?;
        Ok(negotiated.direction.sends())
    }

    /// Says a sound.
    pub(crate) fn say(&self, job: u64, sound: &Sound) -> Result<(), PlaneError> {
        self.plane.play(self.leg.leg, JobId(job), &[Arc::clone(sound.prompt())], false)
    }

    /// Plays a tone.
    pub(crate) fn tone(&self, job: u64, hz: u32, length: Duration) -> Result<(), PlaneError> {
        let sound = ToneSound { frequency_hz: hz as f32, amplitude: TONE_AMPLITUDE, duration: Some(length) };
        self.plane.play_tone(self.leg.leg, JobId(job), sound)
    }

    /// Presses keys.
    pub(crate) fn press(&self, job: u64, keys: &[Tone]) -> Result<(), PlaneError> {
        self.plane.send_tones(self.leg.leg, JobId(job), keys, KEY_GAP_MS)
    }

    /// Keeps a frame that was heard.
    pub(crate) fn keep(&self, frame: &[i16]) {
        self.heard.push(frame);
    }

    /// Stops the threads, which may take a moment.
    pub(crate) async fn close(self) {
        let plane = self.plane;
        // Nothing depends on how it went.
        let _ = tokio::task::spawn_blocking(move || drop(plane)).await;
    }
}

impl Ears {
    /// Waits until there is something to hear.
    pub(crate) async fn ready(&mut self) -> std::io::Result<Ready> {
        tokio::select! {
            ready = self.events.readable_mut() => {
                ready?.clear_ready();
                Ok(Ready::Events)
            }
            ready = self.stream.readable_mut() => {
                ready?.clear_ready();
                Ok(Ready::Frames)
            }
        }
    }

    /// The next news, if there is one.
    pub(crate) fn next_news(&mut self) -> Option<MediaNews> {
        loop {
            match self.events.get_mut().next()? {
                MediaEvent::JobDone { job, outcome, .. } => {
                    let is_done = outcome == JobOutcome::Completed;
                    return Some(MediaNews::Played { job: job.0, is_done });
                }
                MediaEvent::Lost { .. } => return Some(MediaNews::Lost),
                MediaEvent::Tone { tone, .. } => return Some(MediaNews::Key(tone)),
                MediaEvent::Closed { .. }
                | MediaEvent::Dominant { .. }
                | MediaEvent::Flowing { .. }
                | MediaEvent::Moved { .. }
                | MediaEvent::Sampled { .. } => {}
            }
        }
    }

    /// The next frame that was heard, if there is one.
    pub(crate) fn next_frame(&mut self) -> Option<[i16; media_plane::STREAM_FRAME_SAMPLES]> {
        self.stream.get_mut().next_heard().map(|heard| heard.samples)
    }
}

fn negotiator(leg: &LegPort) -> Result<Negotiator, SetupError> {
    let mut random = [[0; MAX_MASTER_LEN]; Suite::ALL.len()];
    getrandom::fill(random.as_flattened_mut()).map_err(|_| SetupError::NoRandomness)?;
    let local = LocalMedia {
        rtp: leg.rtp,
        rtcp: leg.rtcp,
        codecs: CODECS.to_vec(),
        has_telephone_event: true,
        srtp: SrtpPolicy::Optional,
        direction: Direction::SendRecv,
        session_id: leg.leg.as_u64(),
    };
    Ok(Negotiator::new(local, LocalKeys::new(random)))
}

#[expect(
    deprecated,
    reason = "its successor asks for unsafe code to promise what the ends of rings keep: one descriptor for life"
)]
fn watch<T: AsRawFd>(end: T) -> std::io::Result<AsyncFd<T>> {
    AsyncFd::new(end)
}
