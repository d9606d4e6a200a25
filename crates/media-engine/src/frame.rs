//! One tick of audio.

use crate::SampleRate;

/// Samples of the longest frame: 20 ms at 48 kHz.
pub const MAX_FRAME_SAMPLES: usize = SampleRate::Hz48000.frame_samples();

/// 20 ms of mono audio as 16-bit samples, held inline.
#[derive(Clone, Debug)]
pub struct Frame {
    rate: SampleRate,
    samples: [i16; MAX_FRAME_SAMPLES],
}

impl Frame {
    /// Digital silence at `rate`.
    #[must_use]
    pub const fn silence(rate: SampleRate) -> Self {
        Self { rate, samples: [0; MAX_FRAME_SAMPLES] }
    }

    /// The sampling rate, which also fixes the number of samples.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The samples, oldest first: 160, 320 or 960 of them.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        self.samples.get(..self.rate.frame_samples()).unwrap_or_default()
    }

    /// The samples, to be written over.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        self.samples.get_mut(..self.rate.frame_samples()).unwrap_or_default()
    }

    /// Makes the frame the same as another.
    pub fn copy_from(&mut self, other: &Self) {
        self.rate = other.rate;
        for (slot, x) in self.samples_mut().iter_mut().zip(other.samples()) {
            *slot = *x;
        }
    }

    /// Makes the frame digital silence at `rate`.
    pub fn reset(&mut self, rate: SampleRate) {
        self.rate = rate;
        self.samples_mut().fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_twenty_milliseconds_at_its_rate() {
        let mut frame = Frame::silence(SampleRate::Hz8000);
        assert_eq!(frame.samples().len(), 160);
        frame.reset(SampleRate::Hz48000);
        assert_eq!(frame.samples().len(), 960);
        frame.samples_mut().fill(7);
        let mut copy = Frame::silence(SampleRate::Hz8000);
        copy.copy_from(&frame);
        assert_eq!(copy.samples(), [7; 960]);
    }
}
