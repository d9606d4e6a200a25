//! What phones and clients say: a hum, and now and then a knock by which the way of the sound can be timed.

use std::f64::consts::TAU;
use std::time::Duration;

use media_engine::{AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, SenderConfig};

/// Both have whole periods in a frame, so that frames can be said in any order.
const HUM_HZ: f64 = 400.0;
const KNOCK_HZ: f64 = 1_000.0;
const HUM: f64 = 1_000.0;
const KNOCK: f64 = 12_000.0;

/// Louder than any hum, and reached by a knock within a fraction of a millisecond.
const LOUD: u16 = 6_000;
/// Quieter than any hum.
const QUIET: u16 = 200;

/// Payloads that are prepared where a codec has a memory.
const PREPARED: usize = 50;

/// Payloads of a hum, one a frame.
pub(super) fn hum(codec: Codec) -> Vec<Vec<u8>> {
    payloads(codec, HUM_HZ, HUM)
}

/// The payload of a knock with PCMU.
pub(super) fn knock() -> Vec<u8> {
    payloads(Codec::Pcmu, KNOCK_HZ, KNOCK).pop().unwrap_or_default()
}

fn payloads(codec: Codec, hz: f64, amplitude: f64) -> Vec<Vec<u8>> {
    let mut sender = AudioSender::new(SenderConfig {
        codec,
        payload_type: 0,
        ssrc: 0,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event: None,
    });
    let rate = codec.sample_rate();
    let mut frame = Frame::silence(rate);
    for (number, sample) in (0u32..).zip(frame.samples_mut()) {
        *sample = (amplitude * (TAU * hz * f64::from(number) / f64::from(rate.hz())).sin()) as i16;
    }
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let encode = |_| {
        let length = sender.encode(frame.samples(), &mut payload);
        payload.get(..length).unwrap_or_default().to_vec()
    };
    (0..PREPARED).map(encode).collect()
}

/// What is heard in 20 ms.
pub(super) struct Ear {
    /// How long after the first sample there is a knock.
    pub(super) knock: Option<Duration>,
    /// There is nothing at all.
    pub(super) is_silent: bool,
}

impl Ear {
    fn new(magnitudes: impl Iterator<Item = u16>, rate_hz: u32) -> Self {
        let (mut loudest, mut knock) = (0, None);
        for (number, magnitude) in (0u32..).zip(magnitudes) {
            if magnitude > LOUD && knock.is_none() {
                knock = Some(Duration::from_secs(number.into()) / rate_hz);
            }
            loudest = loudest.max(magnitude);
        }
        Self { knock, is_silent: loudest < QUIET }
    }

    /// Of PCM at 16 kHz as applications get it.
    pub(super) fn of_pcm(octets: &[u8]) -> Self {
        let samples = octets.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
        Self::new(samples.map(|pair| i16::from_le_bytes(pair).unsigned_abs()), 16_000)
    }

    /// Of PCMU (G.711, mu-law).
    pub(super) fn of_pcmu(octets: &[u8]) -> Self {
        let magnitude = |octet: &u8| {
            let bits = u16::from(!octet & 0x7f);
            ((((bits & 0x0f) << 3) + 0x84) << (bits >> 4)) - 0x84
        };
        Self::new(octets.iter().map(magnitude), 8_000)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_engine::Codec;

    use super::{Ear, hum, knock};

    #[test]
    fn a_knock_is_told_from_a_hum_and_a_hum_from_silence() {
        let heard = Ear::of_pcmu(&knock());
        assert!(heard.knock.is_some_and(|at| at < Duration::from_millis(1)) && !heard.is_silent);
        let heard = Ear::of_pcmu(&hum(Codec::Pcmu)[0]);
        assert!(heard.knock.is_none() && !heard.is_silent);
        assert!(Ear::of_pcmu(&[0xff; 160]).is_silent && Ear::of_pcm(&[0; 640]).is_silent);
        let late: Vec<u8> = [[0, 0]; 16].into_iter().chain([[0, 64]; 304]).flatten().collect();
        assert_eq!(Ear::of_pcm(&late).knock, Some(Duration::from_millis(1)));
    }
}
