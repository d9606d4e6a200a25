//! Many hear many: who is heard, how loud, by whom.

mod seat;

pub use self::seat::{Audience, Converters, Seat};

/// Members of a mixer that are heard at once unless it is made for another number.
pub const DEFAULT_TALKERS: usize = 4;

/// The most members that can be heard at once. With more, nobody is understood, and every one makes the others softer.
pub const MAX_TALKERS: usize = 6;
