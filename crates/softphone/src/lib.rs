//! A telephone that follows a script: a real SIP user agent for the command line, CI and the lab.
//!
//! A [`Plan`] is a list of steps: say, press, hold, transfer, and expect to hear. [`Script`] is the state machine that
//! walks through them, without a clock, sockets or sound cards: it is told what happens and when, and says what to do.
//! [`listen`] holds what recognises tones and known sound in what is heard. [`run`] is the shell around them: it
//! registers, calls or waits for a call, carries the sound, and returns the [`Report`] once the call is over.
//!
//! The steps run one after the other from the moment at which the call is answered; the first one that fails ends the
//! call. [`junit`] writes a report for CI.

pub mod junit;
pub mod listen;
mod media;
mod phone;
mod plan;
mod report;
mod script;
mod wire;

pub use media::HeardSound;
pub use phone::{Place, Setup, SetupError, run};
pub use plan::{
    Action, Plan, PlanError, SHORTEST_KNOWN_SOUND, Sound, Step, keys, length, pitch, refusal, target,
};
pub use report::{Failure, FailureKind, Moment, Outcome, Report, StepReport, clock_text};
pub use script::{Effect, End, Input, Script, TransferNews};
