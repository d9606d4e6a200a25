//! What happened to calls, kept in memory within bounds, for people who look.
//!
//! A [`Recorder`] has a [`Trace`] for each call that is alive, and for the latest that are over. Whoever runs a call writes into
//! its own trace: nobody else's lock is taken, and nothing waits. Whoever looks finds a trace by its call, reads what it holds,
//! and is told of what comes after ([`Trace::watch`]); those who do not keep up lose their place, never the call.
//!
//! | what | bound |
//! |---|---|
//! | entries and messages of a call | [`Limits::entries`], [`Limits::messages`]: the first ones and the latest are kept |
//! | calls that are over | [`Limits::ended_calls`], the latest |
//! | text of all | [`Limits::octets`]: the oldest calls that are over make room, else nothing more is kept |
//! | what waits for somebody who looks | 256 events |

mod bounded;
mod dialog;
mod entry;
mod message;
mod recorder;
mod trace;

pub use dialog::Dialog;
pub use entry::{Entry, Event, Lane, Tried};
pub use message::{Direction, Message, Sighting};
pub use recorder::{Limits, Recorder, Summary};
pub use trace::{Recording, Shown, Trace};
