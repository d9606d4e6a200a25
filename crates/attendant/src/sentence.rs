/// Something that is said to a caller who dials in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sentence {
    /// Asks for the meeting's id.
    AskMeetingId,
    /// Asks for the passcode, and how letters are keyed.
    AskPasscode,
    /// The meeting has no room.
    Full,
    /// The last one.
    GoodBye,
    /// The caller is in the meeting.
    Joined,
    /// Nobody may join the meeting any more.
    Locked,
    /// No keys were pressed.
    NoEntry,
    /// There were too many wrong entries, in this call or in others.
    TooManyTries,
    /// Something here fails.
    Unavailable,
    /// No meeting has the id.
    UnknownMeeting,
    /// Somebody has to let the caller in.
    Waiting,
    /// The first one.
    Welcome,
    /// The passcode is another one.
    WrongPasscode,
}

impl Sentence {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AskMeetingId,
        Self::AskPasscode,
        Self::Full,
        Self::GoodBye,
        Self::Joined,
        Self::Locked,
        Self::NoEntry,
        Self::TooManyTries,
        Self::Unavailable,
        Self::UnknownMeeting,
        Self::Waiting,
        Self::Welcome,
        Self::WrongPasscode,
    ];
}
