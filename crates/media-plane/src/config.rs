//! What a plane is started with, and the names of its parts.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

/// How a plane is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Media threads, at least one.
    pub threads: usize,
    /// Address that sockets are bound to.
    pub bind_ip: IpAddr,
    /// Address that the far ends are told; equal to `bind_ip` unless there is a translation in between.
    pub advertised_ip: IpAddr,
    /// First port, even, of the range for RTP and RTCP.
    pub first_port: u16,
    /// Last port of that range.
    pub last_port: u16,
    /// How long a closed port pair rests, so that no late packet of the old leg reaches a new one.
    pub quarantine: Duration,
    /// Legs that one thread may have.
    pub max_legs_per_thread: usize,
    /// How long nothing may come, while something should, before a leg is reported lost; three times as long where the
    /// far end only listens and reports are all that can come.
    pub lost_after: Duration,
    /// Cores for the media threads, in turn; empty leaves it to the system.
    pub pinned_cores: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Self {
            threads: 1,
            bind_ip: loopback,
            advertised_ip: loopback,
            first_port: 20_000,
            last_port: 29_999,
            quarantine: Duration::from_secs(5),
            max_legs_per_thread: 4_096,
            lost_after: Duration::from_secs(20),
            pinned_cores: Vec::new(),
        }
    }
}

/// A name of a leg of a plane, never used twice. It says on which thread the leg is, so one that is brought to another has
/// another name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub(crate) u64);

impl LegId {
    const INDEX_BITS: u32 = 24;

    pub(crate) fn new(generation: u32, thread: u8, index: u32) -> Self {
        let low = (u64::from(thread) << Self::INDEX_BITS) | (u64::from(index) & 0x00ff_ffff);
        Self((u64::from(generation) << 32) | low)
    }

    /// Whether it can be in that mixer: both are on one thread.
    pub fn can_join(self, mixer: MixerId) -> bool {
        self.thread() == mixer.thread()
    }

    pub(crate) fn thread(self) -> usize {
        ((self.0 >> Self::INDEX_BITS) & 0xff) as usize
    }

    pub(crate) fn index(self) -> usize {
        (self.0 & 0x00ff_ffff) as usize
    }

    /// The number, for logs.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A mixer of a plane, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MixerId(LegId);

impl MixerId {
    pub(crate) fn new(generation: u32, thread: u8, index: u32) -> Self {
        Self(LegId::new(generation, thread, index))
    }

    pub(crate) fn thread(self) -> usize {
        self.0.thread()
    }

    pub(crate) fn index(self) -> usize {
        self.0.index()
    }

    /// The number, for logs.
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

/// A job of a leg; the caller numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// A leg that has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegPort {
    /// Its name.
    pub leg: LegId,
    /// Where the far end sends RTP: the advertised address.
    pub rtp: SocketAddr,
    /// Where the far end sends RTCP.
    pub rtcp: SocketAddr,
}

/// Why the plane did not start or did not take a command.
#[derive(Debug, Error)]
pub enum PlaneError {
    /// Commands come faster than the media thread takes them; try again in a moment.
    #[error("media thread is busy")]
    Busy,
    /// Keys were refused by the cryptographic library.
    #[error("failed to set up SRTP")]
    Crypto,
    /// The leg is closed, or was never configured where that is needed.
    #[error("no such leg")]
    NoLeg,
    /// The mixer is closed, or the leg is in none.
    #[error("no such mixer")]
    NoMixer,
    /// Every port of the range is in use or at rest.
    #[error("no free port")]
    NoPort,
    /// The leg is on another thread than the mixer; see [`crate::MediaPlane::bring`].
    #[error("leg and mixer are on different media threads")]
    OtherThread,
    /// The setting cannot be used.
    #[error("invalid media setting: {0}")]
    Setting(&'static str),
    /// The system refused a socket, a thread or a descriptor.
    #[error("failed to set up media")]
    System(#[from] std::io::Error),
    /// Every thread has as many legs as it may.
    #[error("too many legs")]
    TooManyLegs,
    /// The mixer has as many members as it may.
    #[error("too many members")]
    TooManyMembers,
    /// The thread has as many mixers as it may have legs.
    #[error("too many mixers")]
    TooManyMixers,
}

impl From<nix::Error> for PlaneError {
    fn from(error: nix::Error) -> Self {
        Self::System(error.into())
    }
}
