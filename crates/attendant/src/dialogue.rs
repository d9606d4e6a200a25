use std::collections::VecDeque;
use std::time::Duration;

use model::{Timestamp, Tone};

use crate::Sentence;

/// Digits of an entry: more than any id or passcode has. What is longer is wrong without being looked up.
const MAX_ENTRY: usize = 32;

/// Deadlines and limits of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogueConfig {
    /// How long after a question without a key it is asked again.
    pub silence: Duration,
    /// How long after a key an entry counts as ended.
    pub pause: Duration,
    /// Wrong entries, ids and passcodes together, after which the caller is sent away.
    pub max_tries: u32,
    /// How often in a row it is asked again where no key is pressed.
    pub max_silences: u32,
    /// How long looking up may take.
    pub lookup_timeout: Duration,
    /// How long anything that is said may take; it counts as ended then.
    pub max_sound: Duration,
    /// How long all of it may take, good-bye not counted.
    pub max_duration: Duration,
}

impl Default for DialogueConfig {
    /// Arbitrary but for people: they look for a sheet of paper within seconds, and type a key in less than one.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(8),
            pause: Duration::from_secs(4),
            max_tries: 3,
            max_silences: 2,
            lookup_timeout: Duration::from_secs(10),
            max_sound: Duration::from_secs(20),
            max_duration: Duration::from_secs(180),
        }
    }
}

/// Names what is said in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoundId(pub u64);

/// Something that happened to a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The caller pressed a key.
    Key(Tone),
    /// The answer to [`Effect::LookUp`].
    Looked(Looked),
    /// What was said is over, or cannot be said.
    SoundEnded(SoundId),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// A meeting that the caller may join.
    Found,
    /// A meeting that nobody may join any more.
    Locked,
    /// A meeting that wants a passcode, and none was looked up with it.
    NeedsPasscode,
    /// The caller, or somebody at the same meeting, has guessed too often.
    TooManyGuesses,
    /// It cannot be told.
    Unavailable,
    /// No meeting of the tenant.
    UnknownMeeting,
    /// A meeting with another passcode.
    WrongPasscode,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hang up. The last effect.
    HangUp,
    /// Take the caller to the meeting that was found. The last effect.
    Join,
    /// Look for a meeting; exactly one [`Input::Looked`] follows.
    LookUp {
        /// The id that was entered.
        meeting: String,
        /// The keys of the passcode, where it was asked for.
        passcode: Option<String>,
    },
    /// Say these one after the other; [`Input::SoundEnded`] follows.
    Say {
        /// Names it.
        sound: SoundId,
        /// What.
        sentences: Vec<Sentence>,
    },
    /// Say no more of it.
    Stop(SoundId),
}

/// One caller's way from the answer to a meeting. See the crate's page for the order in which its methods are used.
#[derive(Clone, Debug)]
pub struct Dialogue {
    config: DialogueConfig,
    state: State,
    /// What is being said.
    sound: Option<SoundId>,
    sounds: u64,
    /// The id that a passcode is asked for.
    meeting: String,
    tries: u32,
    silences: u32,
    /// Keys that were pressed while something was looked up: a program that dials does not listen.
    ahead: Vec<Tone>,
    /// When the state is given up.
    until: Timestamp,
    /// When all of it is.
    ends_at: Timestamp,
    effects: VecDeque<Effect>,
}

#[derive(Clone, Debug)]
enum State {
    /// What is being keyed in.
    Asking {
        what: Asked,
        entry: String,
    },
    Leaving,
    LookingUp(Asked),
    Over,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    MeetingId,
    Passcode,
}

impl Dialogue {
    /// Begins, as the caller's phone has been answered.
    pub fn new(config: DialogueConfig, now: Timestamp) -> Self {
        let ends_at = now.after(config.max_duration);
        let mut dialogue = Self {
            config,
            state: State::Over,
            sound: None,
            sounds: 0,
            meeting: String::new(),
            tries: 0,
            silences: 0,
            ahead: Vec::new(),
            until: now,
            ends_at,
            effects: VecDeque::new(),
        };
        dialogue.ask(Asked::MeetingId, &[Sentence::Welcome], now);
        dialogue
    }

    /// Takes one input. What comes late, or after the end, changes nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Key(key) => self.key(key, now),
            Input::Looked(looked) => self.looked(looked, now),
            Input::SoundEnded(sound) => {
                if self.sound.take_if(|said| *said == sound).is_some() {
                    self.said(now);
                }
            }
        }
    }

    /// Acts on deadlines that have passed; does nothing before them.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let is_due = self.until <= now;
        match &self.state {
            State::Asking { .. } | State::LookingUp(_) if self.ends_at <= now => self.leave(&[], now),
            State::LookingUp(_) if is_due => self.looked(Looked::Unavailable, now),
            State::Leaving if is_due => self.hang_up(),
            State::Asking { .. } if is_due && self.sound.is_some() => {
                // Its end should have been told.
                self.hush();
                self.said(now);
            }
            State::Asking { .. } if is_due => self.entered(now),
            State::Asking { .. } | State::LookingUp(_) | State::Leaving | State::Over => {}
        }
    }

    /// What is to be done next, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Dialogue::handle_timeout`] wants to be called; `None` once it is over.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Asking { .. } | State::LookingUp(_) => Some(self.until.min(self.ends_at)),
            State::Leaving => Some(self.until),
            State::Over => None,
        }
    }

    fn ask(&mut self, what: Asked, before: &[Sentence], now: Timestamp) {
        let question = match what {
            Asked::MeetingId => Sentence::AskMeetingId,
            Asked::Passcode => Sentence::AskPasscode,
        };
        self.state = State::Asking { what, entry: String::new() };
        self.say([before, &[question]].concat(), now);
    }

    fn say(&mut self, sentences: Vec<Sentence>, now: Timestamp) {
        self.hush();
        self.sounds += 1;
        let sound = SoundId(self.sounds);
        self.sound = Some(sound);
        self.until = now.after(self.config.max_sound);
        self.effects.push_back(Effect::Say { sound, sentences });
    }

    fn hush(&mut self) {
        if let Some(sound) = self.sound.take() {
            self.effects.push_back(Effect::Stop(sound));
        }
    }

    /// Everything has been said.
    fn said(&mut self, now: Timestamp) {
        match self.state {
            State::Asking { .. } => self.until = now.after(self.config.silence),
            State::Leaving => self.hang_up(),
            State::LookingUp(_) | State::Over => {}
        }
    }

    fn key(&mut self, key: Tone, now: Timestamp) {
        match (&mut self.state, key) {
            (State::Asking { entry, .. }, Tone::Digit(digit)) => {
                // One more than there may be is as wrong as a hundred more.
                if entry.len() <= MAX_ENTRY {
                    entry.push(char::from(b'0' + digit.min(9)));
                }
                self.hush();
                self.until = now.after(self.config.pause);
            }
            (State::Asking { .. }, Tone::Pound) => self.entered(now),
            (State::Asking { what, .. }, Tone::Star) => {
                let what = *what;
                self.ask(what, &[], now);
            }
            (State::LookingUp(_), Tone::Digit(_) | Tone::Pound | Tone::Star) => {
                if self.ahead.len() <= MAX_ENTRY {
                    self.ahead.push(key);
                }
            }
            (_, Tone::A | Tone::B | Tone::C | Tone::D | Tone::Flash)
            | (State::Leaving | State::Over, Tone::Digit(_) | Tone::Pound | Tone::Star) => {}
        }
    }

    /// The entry is complete, or nothing comes.
    fn entered(&mut self, now: Timestamp) {
        let State::Asking { what, entry } = &mut self.state else { return };
        let (what, entry) = (*what, std::mem::take(entry));
        if entry.is_empty() {
            self.silences += 1;
            return if self.silences > self.config.max_silences {
                self.leave(&[Sentence::NoEntry], now);
            } else {
                self.ask(what, &[Sentence::NoEntry], now);
            };
        }
        self.silences = 0;
        self.hush();
        if entry.len() > MAX_ENTRY {
            return self.wrong(what, now);
        }
        let passcode = match what {
            Asked::MeetingId => {
                self.meeting = entry;
                None
            }
            Asked::Passcode => Some(entry),
        };
        self.state = State::LookingUp(what);
        self.until = now.after(self.config.lookup_timeout);
        self.effects.push_back(Effect::LookUp { meeting: self.meeting.clone(), passcode });
    }

    fn looked(&mut self, looked: Looked, now: Timestamp) {
        let State::LookingUp(asked) = self.state else { return };
        let ahead = std::mem::take(&mut self.ahead);
        match (looked, asked) {
            (Looked::Found, _) => {
                self.state = State::Over;
                self.effects.push_back(Effect::Join);
            }
            (Looked::NeedsPasscode, Asked::MeetingId) => {
                self.ask(Asked::Passcode, &[], now);
                ahead.into_iter().for_each(|key| self.key(key, now));
            }
            (Looked::UnknownMeeting, _) => self.wrong(Asked::MeetingId, now),
            (Looked::WrongPasscode, _) | (Looked::NeedsPasscode, Asked::Passcode) => {
                self.wrong(Asked::Passcode, now);
            }
            (Looked::Locked, _) => self.leave(&[Sentence::Locked], now),
            (Looked::TooManyGuesses, _) => self.leave(&[Sentence::TooManyTries], now),
            (Looked::Unavailable, _) => self.leave(&[Sentence::Unavailable], now),
        }
    }

    fn wrong(&mut self, what: Asked, now: Timestamp) {
        let why = match what {
            Asked::MeetingId => Sentence::UnknownMeeting,
            Asked::Passcode => Sentence::WrongPasscode,
        };
        self.tries += 1;
        if self.tries < self.config.max_tries { self.ask(what, &[why], now) } else { self.leave(&[why], now) }
    }

    /// Says why, and good-bye.
    fn leave(&mut self, why: &[Sentence], now: Timestamp) {
        self.state = State::Leaving;
        self.say([why, &[Sentence::GoodBye]].concat(), now);
    }

    fn hang_up(&mut self) {
        self.hush();
        self.state = State::Over;
        self.effects.push_back(Effect::HangUp);
    }
}
