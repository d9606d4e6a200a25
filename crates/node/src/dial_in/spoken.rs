use std::sync::{Arc, OnceLock};

use attendant::Sentence;
use media_engine::{PromptAudio, SampleRate, WavLimits};

/// What is said to callers, read from the files of the program when it is said for the first time.
#[derive(Clone, Default)]
pub(crate) struct Spoken([Arc<OnceLock<Arc<PromptAudio>>>; Sentence::ALL.len()]);

impl Spoken {
    /// The sound of a sentence.
    pub(crate) fn get(&self, sentence: Sentence) -> Arc<PromptAudio> {
        let Some(cell) = Sentence::ALL.iter().position(|it| *it == sentence).and_then(|at| self.0.get(at))
        else {
            return read(sentence);
        };
        Arc::clone(cell.get_or_init(|| read(sentence)))
    }
}

/// Samples a second of the files.
const RATE_HZ: u32 = 8_000;
/// What is heard after a good-bye: telephones drop what they have not played when they are hung up on. In samples.
const LAST_SILENCE: usize = 4_800;

fn read(sentence: Sentence) -> Arc<PromptAudio> {
    let sound = PromptAudio::from_wav(file_of(sentence), &WavLimits::PROMPT);
    let sound = sound.unwrap_or_else(|error| {
        tracing::error!(?sentence, %error, "a sound of the program cannot be read");
        PromptAudio::from_samples(Vec::new(), RATE_HZ)
    });
    if sentence != Sentence::GoodBye {
        return Arc::new(sound);
    }
    let mut samples = sound.at_rate(SampleRate::Hz8000).to_vec();
    samples.resize(samples.len() + LAST_SILENCE, 0);
    Arc::new(PromptAudio::from_samples(samples, RATE_HZ))
}

/// The file, as `sounds/README.md` says how it was made.
const fn file_of(sentence: Sentence) -> &'static [u8] {
    match sentence {
        Sentence::AskMeetingId => include_bytes!("../../sounds/en/ask-meeting-id.wav"),
        Sentence::AskPasscode => include_bytes!("../../sounds/en/ask-passcode.wav"),
        Sentence::Full => include_bytes!("../../sounds/en/full.wav"),
        Sentence::GoodBye => include_bytes!("../../sounds/en/good-bye.wav"),
        Sentence::Joined => include_bytes!("../../sounds/en/joined.wav"),
        Sentence::Locked => include_bytes!("../../sounds/en/locked.wav"),
        Sentence::NoEntry => include_bytes!("../../sounds/en/no-entry.wav"),
        Sentence::TooManyTries => include_bytes!("../../sounds/en/too-many-tries.wav"),
        Sentence::Unavailable => include_bytes!("../../sounds/en/unavailable.wav"),
        Sentence::UnknownMeeting => include_bytes!("../../sounds/en/unknown-meeting.wav"),
        Sentence::Waiting => include_bytes!("../../sounds/en/waiting.wav"),
        Sentence::Welcome => include_bytes!("../../sounds/en/welcome.wav"),
        Sentence::WrongPasscode => include_bytes!("../../sounds/en/wrong-passcode.wav"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use attendant::{DialogueConfig, Sentence};
    use media_engine::{PromptAudio, SampleRate, WavLimits};

    use super::{file_of, read};

    #[test]
    fn every_sentence_can_be_said_in_short_and_as_loud_as_the_others() {
        let mut bytes = 0;
        for sentence in Sentence::ALL {
            bytes += file_of(sentence).len();
            let sound = PromptAudio::from_wav(file_of(sentence), &WavLimits::PROMPT).unwrap();
            let length = sound.duration();
            assert!(
                (Duration::from_millis(500)..Duration::from_secs(7)).contains(&length),
                "{sentence:?}: {length:?}"
            );
            let samples = sound.at_rate(SampleRate::Hz8000);
            let power: f64 = samples.iter().map(|sample| (f64::from(*sample) / 32_768.0).powi(2)).sum();
            let level = 10.0 * (power / samples.len() as f64).log10();
            assert!((-21.5..-18.0).contains(&level), "{sentence:?}: {level:.1} dBFS");
        }
        assert!(bytes < 400_000, "{bytes} octets in the program");
        let longest = DialogueConfig::default().max_sound;
        let all_asked = [Sentence::WrongPasscode, Sentence::AskPasscode, Sentence::GoodBye];
        let said =
            all_asked.map(|it| PromptAudio::from_wav(file_of(it), &WavLimits::PROMPT).unwrap().duration());
        assert!(said.iter().sum::<Duration>() < longest);
        let after = read(Sentence::GoodBye).duration() - said.last().copied().unwrap_or_default();
        assert_eq!(after, Duration::from_millis(600));
    }
}
