//! What a negotiation makes of a leg: receiver, sender and keys.

use aws_lc_rs::rand;
use media_engine::{
    AudioReceiver, AudioSender, Codec, Converters, DtmfDetector, FrameConverter, ReceiverConfig, SampleRate,
    SenderConfig, TelephoneEventFormat,
};
use rtc_proto::sdp::Negotiated;
use rtc_proto::srtp::{Inbound, Outbound};

use crate::PlaneError;

/// Built by the caller; the media thread only moves parts of it.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) negotiated: Negotiated,
    pub(crate) codec: Codec,
    pub(crate) ssrc: u32,
    pub(crate) receiver: AudioReceiver,
    pub(crate) sender: AudioSender,
    pub(crate) inbound: Option<Inbound>,
    pub(crate) outbound: Option<Outbound>,
    /// Finds keys in the sound where they do not travel as events.
    pub(crate) detector: Option<DtmfDetector>,
    /// For jobs that began under another codec.
    pub(crate) bridge: Option<Box<Bridge>>,
    /// For the other members of its mixer, on the way there.
    pub(crate) converters: Option<Box<Converters>>,
}

/// Lets jobs made for one rate go on at another.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// The rate of those jobs.
    pub(crate) job_rate: SampleRate,
    /// From their rate to that of the codec.
    pub(crate) said: FrameConverter,
    /// From the rate of the codec to theirs.
    pub(crate) heard: FrameConverter,
}

impl Media {
    /// `job_rate` is the rate of the codec before, where there was one.
    pub(crate) fn new(negotiated: &Negotiated, job_rate: Option<SampleRate>) -> Result<Self, PlaneError> {
        let codec = engine_codec(negotiated.codec);
        let random = random()?;
        let (inbound, outbound) = match &negotiated.srtp {
            Some(keys) => {
                let inbound = Inbound::new(&keys.remote).map_err(|_| PlaneError::Crypto)?;
                (Some(inbound), Some(Outbound::new(&keys.local).map_err(|_| PlaneError::Crypto)?))
            }
            None => (None, None),
        };
        let event = negotiated.telephone_event;
        let format = |payload_type, clock_rate| TelephoneEventFormat { payload_type, clock_rate };
        let receiver = AudioReceiver::new(ReceiverConfig {
            codec,
            payload_type: negotiated.receive_payload_type,
            telephone_event: event.map(|event| format(event.receive_payload_type, event.clock)),
        });
        let sender = AudioSender::new(SenderConfig {
            codec,
            payload_type: negotiated.payload_type,
            ssrc: random.ssrc,
            first_sequence: random.sequence,
            first_timestamp: random.timestamp,
            telephone_event: event.map(|event| format(event.payload_type, event.clock)),
        });
        let detector = event.is_none().then(|| DtmfDetector::new(codec.sample_rate()));
        let rate = codec.sample_rate();
        let bridge = job_rate.filter(|job_rate| *job_rate != rate).map(|job_rate| {
            let (said, heard) = (FrameConverter::new(job_rate, rate), FrameConverter::new(rate, job_rate));
            Box::new(Bridge { job_rate, said, heard })
        });
        let negotiated = negotiated.clone();
        Ok(Self {
            negotiated,
            codec,
            ssrc: random.ssrc,
            receiver,
            sender,
            inbound,
            outbound,
            detector,
            bridge,
            converters: None,
        })
    }

    /// Takes over from `old` the parts that go on unchanged, and leaves it the new ones that are not needed.
    ///
    /// A stream of ours goes on only with its key: the same key and source with indices from the start again
    /// would give away what both protect.
    pub(crate) fn inherit(&mut self, old: &mut Self) {
        let (new_terms, old_terms) = (&self.negotiated, &old.negotiated);
        let local = |terms: &Negotiated| terms.srtp.map(|keys| keys.local);
        let remote = |terms: &Negotiated| terms.srtp.map(|keys| keys.remote);
        let event = |terms: &Negotiated| terms.telephone_event;
        let keeps_sender = new_terms.codec == old_terms.codec
            && new_terms.payload_type == old_terms.payload_type
            && event(new_terms) == event(old_terms)
            && local(new_terms) == local(old_terms);
        let keeps_receiver = new_terms.codec == old_terms.codec
            && new_terms.receive_payload_type == old_terms.receive_payload_type
            && event(new_terms) == event(old_terms);
        if keeps_sender {
            std::mem::swap(&mut self.sender, &mut old.sender);
            std::mem::swap(&mut self.outbound, &mut old.outbound);
            std::mem::swap(&mut self.ssrc, &mut old.ssrc);
        } else {
            self.sender.take_tones(&mut old.sender);
        }
        if keeps_receiver {
            std::mem::swap(&mut self.receiver, &mut old.receiver);
            std::mem::swap(&mut self.detector, &mut old.detector);
        }
        if self.codec == old.codec {
            std::mem::swap(&mut self.bridge, &mut old.bridge);
        }
        if remote(new_terms) == remote(old_terms) {
            std::mem::swap(&mut self.inbound, &mut old.inbound);
        }
    }

    /// Whether packets of this type were agreed on.
    pub(crate) fn expects(&self, payload_type: u8) -> bool {
        let event = self.negotiated.telephone_event;
        payload_type == self.negotiated.receive_payload_type
            || event.is_some_and(|event| event.receive_payload_type == payload_type)
    }
}

pub(crate) fn engine_codec(codec: rtc_proto::Codec) -> Codec {
    match codec {
        rtc_proto::Codec::G722 => Codec::G722,
        rtc_proto::Codec::Opus => Codec::Opus,
        rtc_proto::Codec::Pcma => Codec::Pcma,
        rtc_proto::Codec::Pcmu => Codec::Pcmu,
    }
}

struct Start {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

/// A stream starts at random numbers (RFC 3550, 5.1), the sequence in the lower half (RFC 3711, 3.3.1).
fn random() -> Result<Start, PlaneError> {
    let mut octets = [0; 10];
    rand::fill(&mut octets).map_err(|_| PlaneError::Crypto)?;
    let [a, b, c, d, e, f, g, h, i, j] = octets;
    Ok(Start {
        ssrc: u32::from_be_bytes([a, b, c, d]),
        sequence: u16::from_be_bytes([e, f]) & 0x7fff,
        timestamp: u32::from_be_bytes([g, h, i, j]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_proto::sdp::{Direction, OpusFormat, SrtpKeys};
    use rtc_proto::srtp::{MasterKey, Suite};

    fn terms(codec: rtc_proto::Codec, local: u8, remote: u8) -> Negotiated {
        let key = |seed| MasterKey::new(Suite::AeadAes128Gcm, &[seed; 28]).unwrap();
        let srtp = SrtpKeys { suite: Suite::AeadAes128Gcm, local: key(local), remote: key(remote) };
        Negotiated {
            remote_rtp: ([127, 0, 0, 1], 4_000).into(),
            remote_rtcp: ([127, 0, 0, 1], 4_001).into(),
            has_rtcp_mux: false,
            codec,
            payload_type: codec.static_payload_type().unwrap_or(96),
            receive_payload_type: codec.static_payload_type().unwrap_or(96),
            telephone_event: None,
            direction: Direction::SendRecv,
            srtp: Some(srtp),
            ptime_ms: 20,
            opus: OpusFormat::default(),
            audio_level: None,
        }
    }

    /// Whether the stream of ours goes on from the first terms to the second.
    fn goes_on(first: &Negotiated, second: &Negotiated) -> bool {
        let mut old = Media::new(first, None).unwrap();
        let mut new = Media::new(second, Some(old.codec.sample_rate())).unwrap();
        let ssrc = old.ssrc;
        new.inherit(&mut old);
        new.ssrc == ssrc
    }

    #[test]
    fn a_stream_goes_on_only_with_its_codec_and_its_key() {
        use rtc_proto::Codec::{Pcma, Pcmu};
        let first = terms(Pcmu, 1, 2);
        let mut held = first.clone();
        held.direction = Direction::Inactive;
        held.remote_rtp.set_port(5_000);

        assert!(goes_on(&first, &held));
        assert!(goes_on(&first, &terms(Pcmu, 1, 3)));
        assert!(!goes_on(&first, &terms(Pcmu, 4, 2)));
        assert!(!goes_on(&first, &terms(Pcma, 1, 2)));
    }

    #[test]
    fn jobs_are_bridged_until_the_codec_changes_again() {
        let pcmu = terms(rtc_proto::Codec::Pcmu, 1, 2);
        let opus = terms(rtc_proto::Codec::Opus, 1, 2);
        let mut changed = Media::new(&opus, Some(SampleRate::Hz8000)).unwrap();
        let mut held = Media::new(&opus, Some(SampleRate::Hz48000)).unwrap();

        held.inherit(&mut changed);
        assert!(held.bridge.is_some_and(|bridge| bridge.job_rate == SampleRate::Hz8000));
        assert!(Media::new(&pcmu, Some(SampleRate::Hz8000)).unwrap().bridge.is_none());
    }
}
