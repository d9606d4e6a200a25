//! The voice that answers whoever dials in to a meeting.
//!
//! - [`Dialogue`] is one caller's way from the answer to the meeting: what is said, which keys count, when it is over.
//! - [`Guesses`] says whether a caller may try one more meeting id or passcode, over all of its calls and those of others.
//! - [`is_keyed`] holds the keys that were pressed against a passcode, which may have letters.
//!
//! Nothing here plays, looks anything up or reads a clock. The order of use of a [`Dialogue`] is: one input, then
//! [`Dialogue::poll_effect`] until it is empty, then [`Dialogue::poll_timeout`] for when to call
//! [`Dialogue::handle_timeout`].
//!
//! ```text
//!              ┌── wrong, three times at most ──┐
//!              ▼                                │         needs no passcode, or it is right
//! (new) ─► Asking for the id ─── # , pause ─► Looking up ──────────────────────────────────► Over (joins)
//!              │      ▲                         │   ▲
//!              │      └── * , silence           ▼   │
//!              │                        Asking for the passcode ── silence, wrong: as for the id
//!              └── three silences ─► Leaving ◄──┘
//!                                        └─► Over (hangs up)
//! ```
//!
//! What becomes of a caller who joins, in the lobby and after it, is the conference's business: there its leg is one like
//! every other, and what it is told there is played by the conference.
//!
//! What always holds, and is tested over random walks: a dialogue is over once, with one [`Effect::Join`] or one
//! [`Effect::HangUp`]; it is over within [`DialogueConfig::max_duration`] and what it takes to say good-bye, whatever is
//! pressed or never reported; it looks up no more than it has tries, and one passcode for each id that needs one.

mod dialogue;
mod guesses;
mod passcode;
mod sentence;

pub use dialogue::{Dialogue, DialogueConfig, Effect, Input, Looked, SoundId};
pub use guesses::{Guess, Guesses, Verdict};
pub use passcode::is_keyed;
pub use sentence::Sentence;
