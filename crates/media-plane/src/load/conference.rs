//! Conferences: talkers that speak, listeners that listen, all of them phones of one load thread.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use media_engine::analysis::speech_like;
use media_engine::{AudioSender, Frame, MAX_PAYLOAD_BYTES, SenderConfig};
use rtc_proto::Codec;
use rtc_proto::rtp::{FIXED_HEADER_LEN, Header};

use super::{Arrivals, OPUS_PAYLOAD_TYPE, WARM_UP, enter, sinks, terms};
use crate::clock::{self, ROUND};
use crate::socket::{Receiver, Socket};
use crate::{Config, LegId, MediaPlane, MemberConfig, MixerConfig, PlaneError, PlaneStats};

/// Seconds of speech that talkers repeat, each from another place on.
const SPEECH_S: usize = 10;

/// Conferences to measure.
#[derive(Clone, Copy, Debug)]
pub struct ConferenceLoad {
    /// Meetings at once.
    pub meetings: usize,
    /// Members of each that speak all the time.
    pub talkers: usize,
    /// Members of each that only listen.
    pub listeners: usize,
    /// Whether listeners send silence, as phones do, rather than nothing.
    pub do_listeners_send: bool,
    /// The codec of all.
    pub codec: Codec,
    /// How long to measure, after two seconds of warming up.
    pub duration: Duration,
    /// Core of the media thread.
    pub media_core: usize,
    /// Core of the phones.
    pub load_core: usize,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct ConferenceLoadReport {
    /// Legs of all meetings.
    pub legs: usize,
    /// Packets that came while measuring.
    pub packets: u64,
    /// Packets missing in the sequence numbers of what came.
    pub lost: u64,
    /// Share of the packets that hold sound.
    pub audible: f64,
    /// What the plane itself counted while measuring, from due time to the return of the sending call.
    pub plane: PlaneStats,
    /// Share of a core that the process used, without the phones.
    pub media_cpu_share: f64,
}

/// A phone that sends: what it says, and when.
struct Speaker {
    sink: usize,
    to: SocketAddr,
    header: Header,
    /// Which packet of the speech comes next; none where it sends silence.
    position: Option<usize>,
    due: Duration,
}

/// Starts a plane with one pinned thread, fills meetings, and measures what phones get.
///
/// # Errors
///
/// Returns [`PlaneError`] where the plane cannot hold that many legs.
pub fn measure_conference(load: ConferenceLoad) -> Result<ConferenceLoadReport, PlaneError> {
    let legs = load.meetings * (load.talkers + load.listeners);
    let config = Config {
        first_port: 10_000,
        last_port: 31_999,
        max_legs_per_thread: legs.max(1),
        pinned_cores: vec![load.media_core],
        ..Config::default()
    };
    let (sinks, addresses) = sinks(config.bind_ip)?;
    let (plane, mut events) = MediaPlane::start(config)?;
    let speakers = fill(&plane, load, &addresses)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (phones, stopped) = (Phones { sinks, speakers, load }, Arc::clone(&stop));
    let start = clock::monotonic() + WARM_UP;
    let begun = Arc::new(Mutex::new(None));
    let (noted, counted) = (Arc::clone(&begun), plane.clone());
    let thread = std::thread::Builder::new().name("load-phones".into()).spawn(move || {
        phones.run(&stopped, start, || {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted.stats());
        })
    })?;
    while clock::monotonic() < start + load.duration {
        while events.next().is_some() {}
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let stats = plane.stats();
    stop.store(true, Ordering::Release);
    let (mut arrivals, audible) = thread.join().map_err(|_| PlaneError::Setting("load"))??;
    let before = begun.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(stats);
    let report = arrivals.report(stats.since(&before));
    Ok(ConferenceLoadReport {
        legs,
        packets: report.packets,
        lost: report.lost,
        audible,
        plane: report.plane,
        media_cpu_share: report.media_cpu_share,
    })
}

/// Opens all meetings; returns the phones that send.
fn fill(
    plane: &MediaPlane,
    load: ConferenceLoad,
    addresses: &[SocketAddr],
) -> Result<Vec<Speaker>, PlaneError> {
    let members = load.talkers + load.listeners;
    let mut speakers = Vec::new();
    let mut sinks = addresses.iter().enumerate().cycle();
    let start = clock::monotonic() + ROUND;
    for meeting in 0..load.meetings {
        let mixer = plane.open_mixer(MixerConfig { max_members: members, ..MixerConfig::default() }, None)?;
        for member in 0..members {
            let Some((sink, address)) = sinks.next() else { continue };
            let port = plane.open_leg_at(mixer)?;
            retry(|| plane.configure(port.leg, &terms(load.codec, *address)))?;
            retry(|| plane.join(port.leg, mixer, MemberConfig::default()))?;
            let talks = member < load.talkers;
            if talks || load.do_listeners_send {
                let number = speakers.len();
                let position = talks.then_some((meeting * 97 + member * 131) % (SPEECH_S * 50));
                speakers.push(Speaker {
                    sink,
                    to: port.rtp,
                    header: header(load.codec, port.leg),
                    position,
                    due: start,
                });
                // Spread over the round, as phones are.
                if let Some(speaker) = speakers.last_mut() {
                    speaker.due += ROUND * (number as u32 * 37 % 1_000) / 1_000;
                }
            }
        }
    }
    speakers.sort_by_key(|speaker| speaker.due);
    Ok(speakers)
}

/// Commands come faster than the media thread takes them.
fn retry(command: impl Fn() -> Result<(), PlaneError>) -> Result<(), PlaneError> {
    loop {
        match command() {
            Err(PlaneError::Busy) => std::thread::park_timeout(Duration::from_millis(1)),
            outcome => return outcome,
        }
    }
}

fn header(codec: Codec, leg: LegId) -> Header {
    Header {
        marker: false,
        payload_type: codec.static_payload_type().unwrap_or(OPUS_PAYLOAD_TYPE),
        sequence: 1,
        timestamp: 0,
        ssrc: leg.as_u64() as u32,
    }
}

/// The load thread.
struct Phones {
    sinks: Vec<Socket>,
    /// In the order in which they are due.
    speakers: Vec<Speaker>,
    load: ConferenceLoad,
}

impl Phones {
    /// Speaks and listens until told to stop; `begin` is called when measuring begins. Never sleeps, so that whoever
    /// sends to it does not have to wake it up, as it would not have to wake the phones up that are elsewhere.
    fn run(
        mut self,
        stop: &AtomicBool,
        start: Duration,
        begin: impl Fn(),
    ) -> Result<(Arrivals, f64), PlaneError> {
        enter(self.load.load_core)?;
        let codec = crate::leg::engine_codec(self.load.codec);
        let (speech, silence) = (spoken(codec, true), spoken(codec, false));
        let mut arrivals = Arrivals::default();
        let mut receiver = Receiver::new();
        let (mut next, mut audible) = (0, 0_u64);
        let mut from = None;
        while !stop.load(Ordering::Acquire) {
            let now = clock::monotonic();
            if now >= start && from.is_none() {
                from = Some((now, clock::cpu_elsewhere()));
                begin();
            }
            while let Some(speaker) = self.speakers.get_mut(next).filter(|speaker| speaker.due <= now) {
                speaker.speak(&self.sinks, &speech, &silence, codec.frame_ticks());
                next = (next + 1) % self.speakers.len();
            }
            for sink in &self.sinks {
                receiver.receive(sink);
                let now = clock::monotonic();
                for (datagram, _) in receiver.datagrams() {
                    if from.is_some() {
                        audible += u64::from(is_audible(datagram, &silence));
                        arrivals.take(datagram, now);
                    }
                }
            }
        }
        if let Some((from, cpu)) = from {
            let spent = clock::cpu_elsewhere().saturating_sub(cpu);
            arrivals.cpu_share = spent.as_secs_f64() / clock::monotonic().saturating_sub(from).as_secs_f64();
        }
        let packets: u64 = arrivals.streams.values().map(|stream| stream.seen).sum();
        Ok((arrivals, audible as f64 / packets.max(1) as f64))
    }
}

impl Speaker {
    fn speak(&mut self, sinks: &[Socket], speech: &[Vec<u8>], silence: &[Vec<u8>], ticks: u32) {
        let payload = match &mut self.position {
            Some(position) => {
                *position = (*position + 1) % speech.len().max(1);
                speech.get(*position)
            }
            None => silence.last(),
        };
        let mut packet = [0; FIXED_HEADER_LEN + MAX_PAYLOAD_BYTES];
        if let (Some(payload), Some(start), Some(sink)) =
            (payload, self.header.write(&mut packet), sinks.get(self.sink))
            && let Some(room) = packet.get_mut(start..start + payload.len())
        {
            room.copy_from_slice(payload);
            // What the system does not take is as good as lost on the way.
            let _ = sink.send_to(packet.get(..start + payload.len()).unwrap_or_default(), self.to);
        }
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(ticks);
        self.due += ROUND;
    }
}

/// Payloads of speech, or of silence, one a frame.
fn spoken(codec: media_engine::Codec, is_speech: bool) -> Vec<Vec<u8>> {
    let rate = codec.sample_rate();
    let mut sound = speech_like(rate.hz(), rate.hz() as usize * SPEECH_S);
    if !is_speech {
        sound.fill(0);
    }
    let mut sender = AudioSender::new(SenderConfig {
        codec,
        payload_type: 0,
        ssrc: 0,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event: None,
    });
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let mut frame = Frame::silence(rate);
    let encode = |samples: &[i16]| {
        frame.samples_mut().copy_from_slice(samples);
        let length = sender.encode(frame.samples(), &mut payload);
        payload.get(..length).unwrap_or_default().to_vec()
    };
    sound.chunks_exact(rate.frame_samples()).map(encode).collect()
}

/// Whether a packet holds anything but silence: other octets with G.711, many more of them with Opus.
fn is_audible(datagram: &[u8], silence: &[Vec<u8>]) -> bool {
    let payload = datagram.get(FIXED_HEADER_LEN..).unwrap_or_default();
    let Some(silence) = silence.last() else { return false };
    let is_one_octet = silence.iter().all(|octet| Some(octet) == silence.first());
    if is_one_octet {
        payload.iter().any(|octet| Some(octet) != silence.first())
    } else {
        payload.len() > silence.len() * 2
    }
}
