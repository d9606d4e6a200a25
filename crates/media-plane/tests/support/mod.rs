//! A plane, its events, and legs that talk to each other over loopback.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]
#![expect(dead_code, reason = "each test file uses its own part")]

pub(crate) mod meeting;
pub(crate) mod two;

use std::net::SocketAddr;
#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use media_engine::{PromptAudio, WavLimits, read_wav};
use media_plane::{
    Config, JobId, JobOutcome, LegId, LegPort, LegStats, MediaEvent, MediaEvents, MediaPlane, MixerId,
    PIPE_DATAGRAM_OCTETS, PipePort, Recording, TapeParams,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::time::{ClockId, clock_gettime};
use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, Negotiated, OpusFormat, SrtpKeys, TelephoneEvent};
use rtc_proto::srtp::{MasterKey, Suite};

/// Long enough for a busy machine; tests wait for events, so it only matters when they fail.
const DEADLINE: Duration = Duration::from_secs(20);

/// Ports for one test each, so that tests of one process do not meet.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

pub(crate) fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).expect("clock")
}

pub(crate) struct Rig {
    pub(crate) plane: MediaPlane,
    pub(crate) events: MediaEvents,
    pub(crate) seen: Vec<MediaEvent>,
    epoll: Epoll,
}

pub(crate) fn config() -> Config {
    let process = (std::process::id() % 40) as u16 * 800;
    let first_port = 22_000 + process + NEXT_PORT.fetch_add(40, Ordering::Relaxed) % 760;
    Config { first_port, last_port: first_port + 799, ..Config::default() }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let (plane, events) = MediaPlane::start(config).expect("plane");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        epoll.add(&events, EpollEvent::new(EpollFlags::EPOLLIN, 0)).expect("epoll");
        Self { plane, events, seen: Vec::new(), epoll }
    }

    /// Waits until `wanted` gives something for an event; events are kept in `seen`.
    pub(crate) fn wait<T>(&mut self, mut wanted: impl FnMut(&MediaEvent) -> Option<T>) -> T {
        let until = now() + DEADLINE;
        loop {
            while let Some(event) = self.events.next() {
                let found = wanted(&event);
                self.seen.push(event);
                if let Some(found) = found {
                    return found;
                }
            }
            assert!(now() < until, "no such event; seen: {:?}", self.seen);
            let mut ready = [EpollEvent::empty()];
            self.epoll.wait(&mut ready, EpollTimeout::from(100u16)).expect("epoll");
        }
    }

    pub(crate) fn job_done(&mut self, leg: LegId, job: JobId) -> JobOutcome {
        self.wait(|event| match event {
            MediaEvent::JobDone { leg: at, job: done, outcome } if (*at, *done) == (leg, job) => {
                Some(outcome.clone())
            }
            _ => None,
        })
    }

    /// The legs that were reported lost so far, in order.
    pub(crate) fn lost(&self) -> Vec<LegId> {
        let lost = |event: &MediaEvent| match event {
            MediaEvent::Lost { leg } => Some(*leg),
            _ => None,
        };
        self.seen.iter().filter_map(lost).collect()
    }

    pub(crate) fn recorded(&mut self, leg: LegId, job: JobId) -> Recording {
        match self.job_done(leg, job) {
            JobOutcome::Recorded(recording) => recording,
            other => panic!("not recorded: {other:?}"),
        }
    }

    pub(crate) fn closed(&mut self, leg: LegId) -> LegStats {
        self.wait(|event| match event {
            MediaEvent::Closed { leg: at, stats } if *at == leg => Some(**stats),
            _ => None,
        })
    }

    /// Waits for the end of a leg unless it was seen already.
    pub(crate) fn closed_or_seen(&mut self, leg: LegId) {
        if !self.seen.iter().any(|event| matches!(event, MediaEvent::Closed { leg: at, .. } if *at == leg)) {
            self.closed(leg);
        }
    }

    pub(crate) fn close(&mut self, leg: LegId) -> LegStats {
        self.plane.close(leg).expect("close");
        self.closed(leg)
    }

    /// Opens two legs and lets them talk to each other.
    pub(crate) fn pair(&self, codec: Codec, suite: Option<Suite>) -> (LegPort, LegPort) {
        let (a, b) = (self.plane.open_leg().expect("leg"), self.plane.open_leg().expect("leg"));
        self.plane
            .configure(a.leg, &terms(codec, b, suite.map(|suite| keys(suite, 1, 2))))
            .expect("configure");
        self.plane
            .configure(b.leg, &terms(codec, a, suite.map(|suite| keys(suite, 2, 1))))
            .expect("configure");
        (a, b)
    }

    /// Opens two piped legs, the second on the thread of a mixer, and lets them talk to each other.
    pub(crate) fn piped_pair(&self, codec: Codec, mixer: Option<MixerId>) -> (LegId, LegId) {
        let [(a, a_port), (b, b_port)] =
            [None, mixer].map(|mixer| self.plane.open_piped_leg(mixer).expect("leg"));
        for leg in [a, b] {
            let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
            self.plane.configure(leg, &terms_to(codec, nowhere, nowhere, None)).expect("configure");
        }
        std::thread::spawn(|| carry(a_port, b_port));
        (a, b)
    }

    /// Captures what a leg hears.
    pub(crate) fn capture(&self, leg: LegId, job: JobId, name: &str) {
        let params = TapeParams { path: path(name), max_duration: Duration::from_secs(60) };
        self.plane.capture(leg, job, params).expect("capture");
    }

    /// Ends a capture and reads its file.
    pub(crate) fn captured(&mut self, leg: LegId, job: JobId) -> Vec<i16> {
        self.plane.stop(leg, job).expect("stop");
        let recording = self.recorded(leg, job);
        let samples = read(&recording.path);
        assert_eq!(samples.len(), recording.samples as usize);
        samples
    }
}

pub(crate) fn path(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).expect("folder");
    folder.join(format!("{name}.wav"))
}

pub(crate) fn read(path: &std::path::Path) -> Vec<i16> {
    let file = std::fs::read(path).expect("file");
    let limits = WavLimits { max_bytes: 1 << 24, max_duration: Duration::from_secs(120) };
    let audio = read_wav(&file, &limits).expect("wav");
    assert_eq!(audio.rate_hz, 16_000);
    audio.samples
}

pub(crate) fn keys(suite: Suite, local: u8, remote: u8) -> SrtpKeys {
    let key = |seed| MasterKey::new(suite, &vec![seed; suite.master_len()]).expect("key");
    SrtpKeys { suite, local: key(local), remote: key(remote) }
}

pub(crate) fn terms(codec: Codec, remote: LegPort, srtp: Option<SrtpKeys>) -> Negotiated {
    terms_to(codec, remote.rtp, remote.rtcp, srtp)
}

pub(crate) fn terms_to(
    codec: Codec,
    rtp: SocketAddr,
    rtcp: SocketAddr,
    srtp: Option<SrtpKeys>,
) -> Negotiated {
    let payload_type = codec.static_payload_type().unwrap_or(111);
    let clock = codec.rtp_clock();
    Negotiated {
        remote_rtp: rtp,
        remote_rtcp: rtcp,
        has_rtcp_mux: false,
        codec,
        payload_type,
        receive_payload_type: payload_type,
        telephone_event: Some(TelephoneEvent { payload_type: 101, receive_payload_type: 101, clock }),
        direction: Direction::SendRecv,
        srtp,
        ptime_ms: 20,
        opus: OpusFormat::default(),
        audio_level: None,
    }
}

/// Carries what two legs send to each other, until one is closed.
pub(crate) fn carry(mut a: PipePort, mut b: PipePort) {
    let mut datagram = [0; PIPE_DATAGRAM_OCTETS];
    while !a.is_closed() && !b.is_closed() {
        let mut waiting = [&a, &b].map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN));
        poll(&mut waiting, PollTimeout::from(1_000_u16)).expect("poll");
        while let Some(len) = a.next_sent(&mut datagram) {
            b.deliver(&datagram[..len]);
        }
        while let Some(len) = b.next_sent(&mut datagram) {
            a.deliver(&datagram[..len]);
        }
    }
}

/// Something like speech, `seconds` long.
pub(crate) fn speech(seconds: usize) -> Arc<PromptAudio> {
    Arc::new(PromptAudio::from_samples(media_engine::analysis::speech_like(16_000, 16_000 * seconds), 16_000))
}

pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fds").count()
}

#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
pub(crate) fn socket(ip: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).expect("socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("time-out");
    let address = socket.local_addr().expect("address");
    (socket, address)
}
