//! Load generators for measuring a host: prompts to many legs, timed by a receiver on another core, and conferences.

mod conference;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use media_engine::PromptAudio;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::unistd::Pid;
use rtc_proto::Codec;
use rtc_proto::rtp::{self, Packet};
use rtc_proto::sdp::{Direction, Negotiated, OpusFormat};

pub use self::conference::{ConferenceLoad, ConferenceLoadReport, measure_conference};
use crate::clock::{self, ROUND};
use crate::socket::{Receiver, Socket};
use crate::{Config, JobId, MediaPlane, PlaneError, PlaneStats};

/// Receiving sockets, so that no kernel buffer is the bottleneck.
const SINKS: usize = 64;

/// First packets of each leg that do not count: legs are still being added then.
const WARM_UP: Duration = Duration::from_secs(2);

/// The payload type of a codec that has none of its own.
const OPUS_PAYLOAD_TYPE: u8 = 111;

/// Prompts to measure.
#[derive(Clone, Copy, Debug)]
pub struct PromptLoad {
    /// Legs that play a prompt each.
    pub legs: usize,
    /// How long to measure, after two seconds of warming up.
    pub duration: Duration,
    /// Core of the media thread.
    pub media_core: usize,
    /// Core of the receiver.
    pub receiver_core: usize,
    /// The receiver sends every packet back, so that legs receive as much as they send.
    pub is_two_way: bool,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct PromptLoadReport {
    /// Packets that came while measuring.
    pub packets: u64,
    /// Packets missing in the sequence numbers of what came.
    pub lost: u64,
    /// How long after its due time a packet arrived: half of all at most this long. The due times of a leg
    /// are the grid of 20 ms through its earliest packet.
    pub arrival_p50: Duration,
    /// The same for 99 of 100.
    pub arrival_p99: Duration,
    /// The same for all.
    pub arrival_max: Duration,
    /// What the plane itself counted, from due time to the return of the sending call, over its whole life.
    pub plane: PlaneStats,
    /// Share of a core that the process used, without the receiver.
    pub media_cpu_share: f64,
    /// Resident memory that each leg added, in octets.
    pub memory_per_leg: u64,
}

/// Starts a plane with one pinned thread, plays to as many legs as asked, and measures what arrives.
///
/// # Errors
///
/// Returns [`PlaneError`] where the plane cannot hold that many legs.
pub fn measure_prompts(load: PromptLoad) -> Result<PromptLoadReport, PlaneError> {
    let config = Config {
        first_port: 10_000,
        last_port: 31_999,
        max_legs_per_thread: load.legs.max(1),
        pinned_cores: vec![load.media_core],
        ..Config::default()
    };
    let ip = config.bind_ip;
    let (plane, mut events) = MediaPlane::start(config)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sinks, addresses) = sinks(ip)?;
    let stopped = Arc::clone(&stop);
    let receiver = std::thread::Builder::new()
        .name("load-receiver".into())
        .spawn(move || receive(&sinks, load, &stopped))?;
    let prompt =
        Arc::new(PromptAudio::from_samples(media_engine::analysis::speech_like(8_000, 80_000), 8_000));
    let before = resident();
    for (address, number) in addresses.iter().cycle().zip(0..load.legs) {
        let leg = plane.open_leg()?.leg;
        plane.configure(leg, &terms(Codec::Pcmu, *address))?;
        plane.play(leg, JobId(number as u64), &[Arc::clone(&prompt)], true)?;
    }
    let until = clock::monotonic() + WARM_UP + load.duration;
    let mut memory = None;
    while clock::monotonic() < until {
        while events.next().is_some() {}
        std::thread::park_timeout(Duration::from_millis(100));
        // The receiver's own notes begin after the warming up.
        memory.get_or_insert_with(|| resident().saturating_sub(before) / load.legs.max(1) as u64);
    }
    let stats = plane.stats();
    stop.store(true, Ordering::Release);
    let mut arrivals = receiver.join().map_err(|_| PlaneError::Setting("receiver"))??;
    arrivals.memory_per_leg = memory.unwrap_or(0);
    Ok(arrivals.report(stats))
}

/// Resident memory of the process in octets, 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}

fn terms(codec: Codec, address: SocketAddr) -> Negotiated {
    let payload_type = codec.static_payload_type().unwrap_or(OPUS_PAYLOAD_TYPE);
    Negotiated {
        remote_rtp: address,
        remote_rtcp: address,
        has_rtcp_mux: true,
        codec,
        payload_type,
        receive_payload_type: payload_type,
        telephone_event: Some(rtc_proto::sdp::TelephoneEvent {
            payload_type: 101,
            receive_payload_type: 101,
            clock: codec.rtp_clock(),
        }),
        direction: Direction::SendRecv,
        srtp: None,
        ptime_ms: 20,
        opus: OpusFormat::default(),
        audio_level: None,
    }
}

/// Puts this thread onto a core.
fn enter(core: usize) -> Result<(), PlaneError> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}

fn sinks(ip: IpAddr) -> Result<(Vec<Socket>, Vec<SocketAddr>), PlaneError> {
    let sinks = (0..SINKS).map(|_| Socket::bind_wide(ip)).collect::<Result<Vec<_>, _>>()?;
    let addresses = sinks.iter().map(Socket::local_addr).collect::<Result<Vec<_>, _>>()?;
    Ok((sinks, addresses))
}

/// What came from one leg.
#[derive(Debug)]
struct Stream {
    first: u16,
    last: u16,
    seen: u64,
    /// Arrival less sequence number times 20 ms, from the first packet on.
    offsets: Vec<i64>,
}

#[derive(Debug, Default)]
struct Arrivals {
    streams: BTreeMap<u32, Stream>,
    cpu_share: f64,
    memory_per_leg: u64,
}

fn receive(sinks: &[Socket], load: PromptLoad, stop: &AtomicBool) -> Result<Arrivals, PlaneError> {
    enter(load.receiver_core)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (number, sink) in sinks.iter().enumerate() {
        epoll.add(sink, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
    }
    let mut arrivals = Arrivals::default();
    let mut receiver = Receiver::new();
    let mut ready = [EpollEvent::empty(); SINKS];
    let measure_from = clock::monotonic() + WARM_UP;
    let mut cpu_from = None;
    while !stop.load(Ordering::Acquire) {
        let count = epoll.wait(&mut ready, 50u16)?;
        for event in ready.iter().take(count) {
            let Some(sink) = sinks.get(event.data() as usize) else { continue };
            receiver.receive(sink);
            let now = clock::monotonic();
            for (datagram, from) in receiver.datagrams() {
                if now >= measure_from {
                    cpu_from.get_or_insert_with(|| (now, clock::cpu_elsewhere()));
                    arrivals.take(datagram, now);
                }
                if load.is_two_way {
                    let _ = sink.send_to(datagram, from);
                }
            }
        }
    }
    if let Some((from, cpu)) = cpu_from {
        let spent = clock::cpu_elsewhere().saturating_sub(cpu);
        arrivals.cpu_share = spent.as_secs_f64() / clock::monotonic().saturating_sub(from).as_secs_f64();
    }
    Ok(arrivals)
}

impl Arrivals {
    fn take(&mut self, datagram: &[u8], now: Duration) {
        let Some(Ok(packet)) = (!rtp::is_rtcp(datagram)).then(|| Packet::parse(datagram)) else { return };
        let sequence = packet.header.sequence;
        let stream = self.streams.entry(packet.header.ssrc).or_insert_with(|| Stream {
            first: sequence,
            last: sequence,
            seen: 0,
            offsets: Vec::with_capacity(4_096),
        });
        stream.seen += 1;
        stream.last = sequence;
        let rounds = i64::from(sequence.wrapping_sub(stream.first));
        stream.offsets.push(now.as_nanos() as i64 - rounds * ROUND.as_nanos() as i64);
    }

    fn report(&mut self, plane: PlaneStats) -> PromptLoadReport {
        let mut late: Vec<i64> = Vec::new();
        let (mut packets, mut lost) = (0, 0);
        for stream in self.streams.values() {
            let earliest = stream.offsets.iter().min().copied().unwrap_or(0);
            late.extend(stream.offsets.iter().map(|offset| offset - earliest));
            packets += stream.seen;
            lost += (u64::from(stream.last.wrapping_sub(stream.first)) + 1).saturating_sub(stream.seen);
        }
        late.sort_unstable();
        let at = |share: f64| {
            let index = (late.len().saturating_sub(1) as f64 * share) as usize;
            Duration::from_nanos(late.get(index).copied().unwrap_or(0).unsigned_abs())
        };
        PromptLoadReport {
            packets,
            lost,
            arrival_p50: at(0.5),
            arrival_p99: at(0.99),
            arrival_max: at(1.0),
            plane,
            media_cpu_share: self.cpu_share,
            memory_per_leg: self.memory_per_leg,
        }
    }
}
