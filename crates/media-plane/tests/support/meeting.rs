//! Phones that talk to each other in a mixer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use media_engine::analysis::amplitude_at;
use media_plane::{JobId, LegId, MemberConfig, MixerConfig, MixerId, ToneSound};
use rtc_proto::Codec;

use super::Rig;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const TONE: JobId = JobId(1);
pub(crate) const CAPTURE: JobId = JobId(2);
pub(crate) const LAP: JobId = JobId(3);
pub(crate) const JOB: JobId = JobId(4);

/// Captures so far, for tests of one process may not write to one file.
static CAPTURES: AtomicU32 = AtomicU32::new(0);

/// How loud phones speak.
pub(crate) const SPOKEN: i16 = 6_000;
/// What counts as heard.
pub(crate) const HEARD: f64 = 4_000.0;

/// A phone, and the leg that is a member.
#[derive(Clone, Copy)]
pub(crate) struct Phone {
    pub(crate) far: LegId,
    pub(crate) leg: LegId,
    pub(crate) pitch: f32,
}

/// A mixer with phones in it.
pub(crate) struct Meeting {
    pub(crate) rig: Rig,
    pub(crate) mixer: MixerId,
    pub(crate) phones: Vec<Phone>,
    /// Not a member.
    timer: LegId,
}

impl Meeting {
    /// Phones that speak with tones of 400 Hz and every 300 Hz above.
    pub(crate) fn of(codecs: &[Codec]) -> Self {
        let rig = Rig::new();
        let mixer = rig.plane.open_mixer(MixerConfig::default(), None).expect("mixer");
        let (timer, _) = rig.pair(Codec::Pcmu, None);
        let mut meeting = Self { rig, mixer, phones: Vec::new(), timer: timer.leg };
        for codec in codecs {
            meeting.add(*codec);
            meeting.speak(meeting.phones.len() - 1);
        }
        meeting
    }

    /// Another phone, which says nothing.
    pub(crate) fn add(&mut self, codec: Codec) {
        let (far, near) = self.rig.pair(codec, None);
        self.seat(far.leg, near.leg);
    }

    /// Another phone, which says nothing, and whose packets do not travel over sockets.
    pub(crate) fn add_piped(&mut self, codec: Codec) {
        let (far, near) = self.rig.piped_pair(codec, Some(self.mixer));
        self.seat(far, near);
    }

    fn seat(&mut self, far: LegId, leg: LegId) {
        self.rig.plane.join(leg, self.mixer, MemberConfig::default()).expect("join");
        let pitch = 400.0 + 300.0 * self.phones.len() as f32;
        self.phones.push(Phone { far, leg, pitch });
    }

    pub(crate) fn speak(&self, phone: usize) {
        let phone = self.phones[phone];
        let sound = ToneSound { frequency_hz: phone.pitch, amplitude: SPOKEN, duration: None };
        self.rig.plane.play_tone(phone.far, TONE, sound).expect("tone");
    }

    /// Lets time pass, measured by a tone of a leg that has nothing to do with all this.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let lap = ToneSound { frequency_hz: 1.0, amplitude: 1, duration: Some(duration) };
        self.rig.plane.play_tone(self.timer, LAP, lap).expect("lap");
        self.rig.job_done(self.timer, LAP);
    }

    /// What phones hear from here on, for half a second.
    pub(crate) fn listen(&mut self, phones: &[usize]) -> Vec<Vec<i16>> {
        let legs: Vec<LegId> = phones.iter().map(|phone| self.phones[*phone].far).collect();
        for leg in &legs {
            let number = CAPTURES.fetch_add(1, Ordering::Relaxed);
            self.rig.capture(*leg, CAPTURE, &format!("meeting-{number}"));
        }
        self.pass(500 * MS);
        legs.iter().map(|leg| self.rig.captured(*leg, CAPTURE)).collect()
    }

    /// Which phones are heard in the last fifth of a second of a capture.
    pub(crate) fn talkers(&self, capture: &[i16]) -> Vec<usize> {
        let tail = &capture[capture.len() - 3_200..];
        let is_heard = |phone: &Phone| amplitude_at(tail, phone.pitch.into(), 16_000) > HEARD;
        (0..self.phones.len()).filter(|phone| is_heard(&self.phones[*phone])).collect()
    }

    /// Which phones every one of these hears.
    pub(crate) fn heard_by(&mut self, phones: &[usize]) -> Vec<Vec<usize>> {
        let captures = self.listen(phones);
        captures.iter().map(|capture| self.talkers(capture)).collect()
    }
}
