//! Settings: where they come from, what they mean, what they are when nobody says.
//!
//! A setting has one place, a field in a section, and everything else follows from it: its key in the file
//! (`sip.timer_t1`), its environment variable (`HOOKSWITCH_SIP_TIMER_T1`), its help, its defaults, the sample file.
//!
//! [`load`] takes texts and pairs, and reads neither files nor the environment itself. Later sources win: the defaults
//! of a [`Profile`], the file, the environment, the command line. Every mistake is reported, each with its key, its
//! place and what would be right. Secrets are never settings; settings name the files that hold them.

mod define;
mod document;
mod error;
mod file;
mod load;
mod sections;
mod validate;
mod value;

pub use define::{Key, Profile};
pub use document::{reference, sample_file};
pub use error::{Problem, SettingsError};
pub use load::{Effective, Entry, Source, Sources, load};
pub use sections::{
    AppMedia, Calls, Http, Https, Identity, Lab, Limits, Log, Media, Meetings, Notifications, Outbound,
    Server, Settings, Sip, Store, Web, Webrtc, keys,
};
pub use value::{AddressRange, BaseUrl, Bytes, ForwardedHeader, LogFormat, PortRange, TrustedIssuer};
