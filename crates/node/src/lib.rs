//! Runs calls: a task for each, leg drivers, media jobs.
//!
//! Everything that changes a call goes through [`Calls`] and the engine of its task; nothing else holds a call's state.
//!
//! | module | holds |
//! |---|---|
//! | `calls` | the door: finding a call's task, handing requests over |
//! | `task` | one call: inputs in, effects performed in order |
//! | `conference` | one group call or meeting: its engine, its mixer, the legs of its people |
//! | `leg` | a connection to a person: media here, a far end there |
//! | `sip`, `scripted` | the far ends: phones, and scripts that stand in for people |
//! | `trunks` | calls to and from the phone network, as far ends too |
//! | `browser` | pages that are telephones, as far ends too |
//! | `application` | the end of a call where the application's own program hears and speaks |
//! | `incoming` | whom a phone calls, and as whom |
//! | `ringing` | those who are called at once for somebody who waits, and where they meet |
//! | `phone_network` | the way to a number: over a trunk, or to a script of the lab |
//! | `direct` | a call of a phone to a person |
//! | `dial_in` | a caller who is asked for a meeting, and taken there |
//! | `referral` | a phone hands its conversation over |
//! | `media` | the way to and from the media threads |
//! | `prompts`, `recordings` | files in, files out |
//! | `console` | what people who look are shown |
//! | `recovery` | what a former process left behind |

mod application;
mod browser;
mod calls;
mod clock;
mod conference;
mod console;
mod context;
mod dial_in;
mod direct;
mod far_end;
mod ids;
mod incoming;
mod inputs;
mod leg;
mod live;
mod media;
mod node;
mod observer;
mod phone_network;
mod prompts;
mod recordings;
mod recovery;
mod referral;
mod ringing;
mod scripted;
mod sip;
mod sweep;
mod task;
mod trunks;

pub use trunk::{Denied, TrunkHealth};

pub use application::{ApplicationConfig, ApplicationStats, MediaPass, SocketDialling, Sockets};
pub use browser::{
    Budget, Farewell, MeetingSocket, MeetingVisitor, PageRefused, PageSocket, Pages, PhoneSocket, Rate,
    sign_in,
};
pub use calls::{Calls, CallsError, WhipAnswer};
pub use clock::Clock;
pub use console::{Console, Phone, Sound, Trunking};
pub use context::{Config, Owed, PageLimits, SharedDirectory};
pub use ids::RandomIds;
pub use media_engine::Codec;
pub use media_plane::LegSample;
pub use node::{Node, Parts, StartError};
pub use observer::{CallLimit, Counts, Observer, SipRefused, TrunkStats};
pub use prompts::{PromptMemory, PromptSource};
pub use recovery::end_orphans;
pub use sip::{SipAddresses, SipConfig};
