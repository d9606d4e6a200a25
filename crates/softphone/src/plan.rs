//! What a telephone is to do in its call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_engine::{PromptAudio, Tone, WavLimits, read_wav};
use sip_message::Uri;

/// The shortest sound that is recognised for certain.
pub const SHORTEST_KNOWN_SOUND: Duration = Duration::from_millis(400);

/// Keys of one step: as many as a leg sends in one go.
const MAX_KEYS: usize = 64;

/// A plan that cannot be followed, or a word that is not understood; says what is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// What a telephone does from the moment at which its call is answered.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it does, one after the other.
    pub steps: Vec<Step>,
    /// How long after the answer it hangs up. Without, it hangs up when the steps are done; a plan without steps goes
    /// on until the far end hangs up.
    pub hang_up_after: Option<Duration>,
    /// How long each expectation waits.
    pub expect_timeout: Duration,
    /// The SIP status that the call is to be refused with, instead of being answered.
    pub expected_refusal: Option<u16>,
}

impl Plan {
    /// Looks whether the steps make sense together.
    ///
    /// # Errors
    ///
    /// Says which step does not.
    pub fn check(&self) -> Result<(), PlanError> {
        if let (Some(status), Some(first)) = (self.expected_refusal, self.steps.first()) {
            return Err(PlanError(format!(
                "{} cannot be done in a call that is expected to be refused ({status})",
                first.label
            )));
        }
        let transfer = self.steps.iter().position(|step| matches!(step.action, Action::Transfer(_)));
        match transfer.and_then(|at| self.steps.get(at + 1)) {
            Some(after) => Err(PlanError(format!(
                "{} cannot follow a transfer, which ends this side's part in the call",
                after.label
            ))),
            None => Ok(()),
        }
    }
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// How its author wrote it, for reports.
    pub label: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Presses keys, one after the other.
    Dtmf(Vec<Tone>),
    /// Waits until keys have been pressed over there: those since the last such step, and no others among them.
    ExpectDtmf(Vec<Tone>),
    /// Waits until all of a known sound has been heard that begins after the step before.
    ExpectSound {
        /// The sound.
        sound: Arc<Sound>,
        /// How soon it has to begin; the plan's time for expectations without.
        within: Option<Duration>,
    },
    /// Waits until a steady tone has been heard for a sixth of a second.
    ExpectTone {
        /// Its pitch.
        hz: u32,
    },
    /// Puts the far end on hold for so long.
    Hold(Duration),
    /// Does nothing for so long.
    Pause(Duration),
    /// Says a sound to its end.
    Say(Arc<Sound>),
    /// Plays a tone.
    Tone {
        /// Its pitch.
        hz: u32,
        /// Its length.
        length: Duration,
    },
    /// Asks the far end to call somebody else in this side's place (RFC 3515); the last step of a plan.
    Transfer(Uri),
}

/// A sound, ready to be said or to be recognised.
#[derive(Clone, Debug)]
pub struct Sound {
    samples: Vec<i16>,
    rate_hz: u32,
    prompt: Arc<PromptAudio>,
}

impl Sound {
    /// Reads a WAV file.
    ///
    /// # Errors
    ///
    /// Says why it cannot be played.
    pub fn from_wav(file: &[u8]) -> Result<Self, PlanError> {
        let audio = read_wav(file, &WavLimits::PROMPT).map_err(|error| PlanError(error.to_string()))?;
        Self::from_samples(audio.samples, audio.rate_hz)
    }

    /// A sound of mono samples.
    ///
    /// # Errors
    ///
    /// Refuses one without any.
    pub fn from_samples(samples: Vec<i16>, rate_hz: u32) -> Result<Self, PlanError> {
        if samples.is_empty() || rate_hz == 0 {
            return Err(PlanError("it holds no sound".to_owned()));
        }
        let prompt = Arc::new(PromptAudio::from_samples(samples.clone(), rate_hz));
        Ok(Self { samples, rate_hz, prompt })
    }

    /// Looks whether it can be told from others when it is heard.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub fn check_known(&self) -> Result<(), PlanError> {
        if self.length() < SHORTEST_KNOWN_SOUND {
            let least = SHORTEST_KNOWN_SOUND.as_millis();
            return Err(PlanError(format!("it is too short to be recognised; {least} ms is the least")));
        }
        if self.samples.iter().all(|sample| sample.unsigned_abs() < 100) {
            return Err(PlanError("it is silent, so it cannot be recognised".to_owned()));
        }
        Ok(())
    }

    /// Its length.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.prompt.duration()
    }

    /// Its samples.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Samples in a second.
    #[must_use]
    pub const fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    pub(crate) const fn prompt(&self) -> &Arc<PromptAudio> {
        &self.prompt
    }
}

/// Reads keys: `12#`.
///
/// # Errors
///
/// Says which are right.
pub fn keys(text: &str) -> Result<Vec<Tone>, PlanError> {
    let keys: Option<Vec<_>> = text.chars().map(Tone::from_char).collect();
    match keys.filter(|keys| (1..=MAX_KEYS).contains(&keys.len())) {
        Some(keys) => Ok(keys),
        None => Err(PlanError(format!("'{text}' is not 1 to {MAX_KEYS} keys of 0-9, *, #, A-D"))),
    }
}

/// Reads a pitch in Hz.
///
/// # Errors
///
/// Says what is right.
pub fn pitch(text: &str) -> Result<u32, PlanError> {
    let hz = text.parse().ok().filter(|hz| (50..=3_400).contains(hz));
    hz.ok_or_else(|| PlanError(format!("'{text}' is no pitch that telephones carry: 50 to 3400 Hz")))
}

/// Reads the status of a refusal.
///
/// # Errors
///
/// Says what is right.
pub fn refusal(text: &str) -> Result<u16, PlanError> {
    let status = text.parse().ok().filter(|status| (300..=699).contains(status));
    status
        .ok_or_else(|| PlanError(format!("'{text}' is no SIP status of a refusal: 300 to 699, such as 486")))
}

/// Whom a target names: a whole SIP address, or a name or id at the server.
///
/// # Errors
///
/// Says what is right.
pub fn target(text: &str, server: SocketAddr) -> Result<Uri, PlanError> {
    let whom = ["sip:", "tel:"].into_iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    if whom.is_empty() || whom.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err(PlanError(format!("'{text}' names nobody")));
    }
    if !whom.contains('@') {
        return Ok(Uri::sip(whom, server.ip()).with_port(Some(server.port())));
    }
    let uri: Option<Uri> = format!("sip:{whom}").parse().ok();
    uri.ok_or_else(|| PlanError(format!("'{text}' is no SIP address, such as sip:john@contoso.example")))
}

/// The longest time that a plan may name.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a length of time: `300ms`, `5s`, `1.5s`, `2m`.
///
/// # Errors
///
/// Says what is right.
pub fn length(text: &str) -> Result<Duration, PlanError> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_each = match unit {
        "ms" => Some(0.001),
        "s" => Some(1.0),
        "m" => Some(60.0),
        _ => None,
    };
    let is_number = number.starts_with(|c: char| c.is_ascii_digit());
    let number = number.parse::<f64>().ok().filter(|_| is_number);
    let seconds = seconds_each.zip(number).map(|(each, number)| each * number);
    let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.filter(|length| *length <= LONGEST).ok_or_else(|| {
        PlanError(format!("'{text}' is no length of time up to a day, such as 300ms, 5s or 2m"))
    })
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::speech_like;

    use super::*;

    #[test]
    fn lengths_are_read_with_their_unit_and_nothing_else_is() {
        for (text, ms) in [("300ms", 300), ("5s", 5_000), ("1.5s", 1_500), ("2m", 120_000), ("0s", 0)] {
            assert_eq!(length(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "5", "s", "-1s", "5 s", "5sec", "1e3s", "infs", "2000m", "5S"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_and_pitches_are_those_of_telephones() {
        let pressed = |text: &str| keys(text).map(|keys| keys.into_iter().map(Tone::key).collect::<String>());
        assert_eq!(pressed("12#*a"), Ok("12#*A".to_owned()));
        assert!(["", "1 2", "x", &"1".repeat(65)].iter().all(|wrong| keys(wrong).is_err()));
        assert_eq!((pitch("440"), refusal("486")), (Ok(440), Ok(486)));
        assert!(["", "200", "700", "busy"].iter().all(|wrong| refusal(wrong).is_err()));
        assert!(["", "49", "3401", "4e2", "-440"].iter().all(|wrong| pitch(wrong).is_err()));
    }

    #[test]
    fn targets_are_addresses_or_names_at_the_server() {
        let server: SocketAddr = "192.0.2.1:5070".parse().unwrap();
        for (text, uri) in [
            ("sip:2891555a-92ff", "sip:2891555a-92ff@192.0.2.1:5070"),
            ("bob", "sip:bob@192.0.2.1:5070"),
            ("bob@contoso.example", "sip:bob@contoso.example"),
            ("sip:bot@127.0.0.1:5080;transport=tcp", "sip:bot@127.0.0.1:5080;transport=tcp"),
        ] {
            assert_eq!(target(text, server).unwrap().to_string(), uri, "{text}");
        }
        assert!(["", "sip:", "a b", "x@", "a\r\nb@c"].iter().all(|wrong| target(wrong, server).is_err()));
    }

    #[test]
    fn nothing_follows_a_transfer() {
        let step = |action| Step { label: "a step".to_owned(), action };
        let transfer = || step(Action::Transfer("sip:mary@b.example".parse().unwrap()));
        let plan = |steps| Plan {
            steps,
            hang_up_after: None,
            expect_timeout: Duration::from_secs(1),
            expected_refusal: None,
        };
        assert_eq!(plan(vec![step(Action::Pause(Duration::ZERO)), transfer()]).check(), Ok(()));
        assert!(plan(vec![transfer(), step(Action::Pause(Duration::ZERO))]).check().is_err());
        let refused = |steps| Plan { expected_refusal: Some(486), ..plan(steps) };
        assert_eq!(refused(vec![]).check(), Ok(()));
        assert!(refused(vec![transfer()]).check().is_err(), "nor is anything done in a call that is refused");
    }

    #[test]
    fn a_sound_that_is_to_be_recognised_is_long_enough_and_not_silent() {
        let sound = |samples| Sound::from_samples(samples, 8_000).unwrap();
        assert_eq!(sound(speech_like(8_000, 8_000)).check_known(), Ok(()));
        assert!(sound(speech_like(8_000, 3_000)).check_known().is_err());
        assert!(sound(vec![3; 8_000]).check_known().is_err());
        assert!(Sound::from_samples(Vec::new(), 8_000).is_err());
        assert!(Sound::from_wav(b"RIFF").is_err());
    }
}
