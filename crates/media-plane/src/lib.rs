//! The media threads: one 20 ms clock, sockets and legs on each.
//!
//! [`MediaPlane::start`] starts a few OS threads, one that writes files, and one that waits for the disk to keep
//! them. A leg is opened
//! ([`MediaPlane::open_leg`] binds its sockets), configured once both ends have agreed, given jobs, and
//! closed. Everything that happens to it arrives through [`MediaEvents`].
//!
//! A leg whose packets travel through another task ([`MediaPlane::open_piped_leg`]) has rings where others have sockets,
//! and one of a bot ([`MediaPlane::open_virtual_leg`]) has no packets at all.
//!
//! A mixer ([`MediaPlane::open_mixer`]) lets legs of one thread hear each other: every member hears all others. A leg of
//! another thread is brought there first ([`MediaPlane::bring`]).
//!
//! An application that hosts its own media says and hears 20 ms after 20 ms through a stream
//! ([`MediaPlane::open_stream`]): all others together, or each of them by itself.
//!
//! What a media thread does on its clock, in order: receive (batched, bounded), open SRTP, jitter buffer,
//! tones, recordings, the leg's sound, encode, protect, send, reports. It neither allocates, locks, waits nor
//! touches files: all that a leg needs is built by the caller and travels in boxes, and what is done with
//! travels on to the file thread, which frees it.

mod bell;
mod clock;
mod command;
mod conference;
mod config;
mod event;
mod files;
mod leg;
mod load;
mod mixer;
mod passage;
mod pipe;
mod plane;
mod ports;
mod registry;
mod rota;
mod saves;
mod socket;
mod stats;
mod stream;
mod tape;
mod thread;

pub use conference::{MemberConfig, MixerConfig, Route};
pub use config::{Config, JobId, LegId, LegPort, MixerId, PlaneError};
pub use event::{JobOutcome, LegSample, LegStats, MediaEvent, MediaEvents, Recording, RecordingEnd};
pub use load::{
    ConferenceLoad, ConferenceLoadReport, PromptLoad, PromptLoadReport, measure_conference, measure_prompts,
};
pub use pipe::{PIPE_DATAGRAM_OCTETS, PipePort};
pub use plane::{MediaPlane, RecordParams, TapeParams, ToneSound};
pub use stats::{Lateness, PlaneStats};
pub use stream::{HeardFrame, STREAM_FRAME_SAMPLES, StreamComfort, StreamConfig, StreamPort};
