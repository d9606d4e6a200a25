//! Jitter buffer, codecs, tones, prompts and recording: frames in, frames out.
//!
//! Everything here is driven by a 20 ms tick and by packets. Time is an argument, nothing reads a clock, and after
//! construction nothing on the tick allocates, locks or waits. Packets are hostile until proven otherwise: no input
//! makes a call panic or grow.
//!
//! A leg has an [`AudioReceiver`], which turns the packets of the far end into a frame every tick, and an
//! [`AudioSender`], which turns a frame, silence or queued keys into a packet every tick. Between them stand whatever
//! the call is doing: a [`Player`] of a prompt, a [`Recorder`], an [`Echo`], a [`ToneGenerator`]; a [`FrameConverter`]
//! where the rates differ. Constructors allocate and compute filters, so they belong outside the media threads, and so
//! does dropping.
//!
//! One tick of a leg:
//!
//! ```
//! use media_engine::{
//!     AudioReceiver, AudioSender, Codec, Frame, FrameKind, MAX_PAYLOAD_BYTES, ReceiverConfig, RtpPacketRef,
//!     SenderConfig,
//! };
//! use std::time::Duration;
//!
//! let codec = Codec::Pcmu;
//! let receiving = ReceiverConfig { codec, payload_type: 0, telephone_event: None };
//! let mut receiver = AudioReceiver::new(receiving);
//! let mut sender = AudioSender::new(SenderConfig {
//!     codec,
//!     payload_type: 0,
//!     ssrc: 0x1234_5678,
//!     first_sequence: 4711,
//!     first_timestamp: 0x8BAD_F00D,
//!     telephone_event: None,
//! });
//!
//! let now = Duration::ZERO;
//! let packet = RtpPacketRef {
//!     payload_type: 0,
//!     sequence: 1,
//!     timestamp: 160,
//!     ssrc: 42,
//!     marker: true,
//!     level: None,
//!     payload: &[0xFF; 160],
//! };
//! receiver.handle_rtp(packet, now);
//! let mut heard = Frame::silence(codec.sample_rate());
//! // The packet waits in the jitter buffer for some ticks.
//! assert_eq!(receiver.pull(now, &mut heard), FrameKind::Silence);
//!
//! let mut payload = [0; MAX_PAYLOAD_BYTES];
//! let sent = sender.send(Some(&heard), &mut payload).expect("the buffer is large enough");
//! assert_eq!((sent.sequence, sent.payload_len), (4711, 160));
//! ```

pub mod analysis;
mod codec;
mod decoder;
mod delay;
mod dtmf;
mod encoder;
mod events;
mod frame;
mod g711;
mod generator;
mod level;
mod mixer;
mod packets;
mod pcm;
mod prompt;
mod receiver;
mod reception;
mod recorder;
mod resample;
mod rtp;
mod sender;
mod tone;
mod wav;

pub use codec::{Codec, FRAME_MS, SampleRate};
pub use dtmf::DtmfDetector;
pub use frame::{Frame, MAX_FRAME_SAMPLES};
pub use generator::{ComfortNoise, Echo, ToneGenerator};
pub use level::{LevelMeter, VoiceDetector, level_dbfs};
pub use mixer::{Audience, Converters, DEFAULT_TALKERS, MAX_TALKERS, MemberId, Mixer, Seat, Senders};
pub use prompt::{Player, PlayerState, PromptAudio};
pub use receiver::{AudioReceiver, FrameKind, ReceiverConfig, ReceiverStats, ReportBlock};
pub use recorder::{RecordOutcome, RecordStep, Recorder, RecorderConfig};
pub use resample::{FrameConverter, resample};
pub use rtp::{RtpPacketRef, SentPacket, TelephoneEventFormat};
pub use sender::{
    AudioSender, MAX_PAYLOAD_BYTES, MAX_QUEUED_TONES, SenderConfig, SenderCounts, ToneQueueFull,
};
pub use tone::{Tone, ToneEvent, ToneSet};
pub use wav::{WAV_HEADER_BYTES, WavAudio, WavError, WavLimits, finish_wav, read_wav, wav_file, wav_header};
