//! The server as tests start it, a bot that calls its API, and the peers that it talks to.
//!
//! [`Server`] is the built program on ports and in a folder of its own. [`Bot`] speaks its API, [`Webhook`] receives
//! its notifications, [`FileServer`] has its prompts. [`Baresip`] and [`Sipp`] are phones of other makers, [`Carrier`] and [`Kamailio`] are the phone network, [`SipPhone`] is one of our own that can do more
//! than those, [`SipSocket`] one that does only what it is told, [`SecurePeer`] the same over TLS, [`WebPhone`] speaks as the page of a browser that is a telephone, [`WebMeeting`] as that of a meeting, [`ConsolePage`] as that of an administrator, [`Browser`] is a real one with our pages, [`Cable`] what lies before it, [`MediaBot`] is an application's own program in a call. Everything here panics with what it saw where it cannot do its part: a test has nothing else to do then.
//! Whatever was started ends when its value is dropped.

mod baresip;
mod bot;
mod browser;
mod cable;
mod carrier;
mod console;
mod dev;
mod dir;
mod file_server;
mod http_client;
mod kamailio;
mod log;
mod media_bot;
mod ports;
mod process;
mod rtp_bot;
mod secure_peer;
mod server;
mod sip_phone;
mod sip_socket;
mod sipp;
mod sound;
mod wait;
mod web_meeting;
mod web_page;
mod web_phone;
mod web_pictures;
mod web_stack;
mod webhook;

pub use baresip::{Answering, Baresip, Phone, PhoneCodec, PhoneTransport};
pub use bot::{Bot, CallRequest};
pub use browser::{Browser, Colour, Page, Silence};
pub use cable::Cable;
pub use carrier::{Caller, Carrier, Script, Way};
pub use console::{ConsoleEvents, ConsolePage};
pub use dev::{App, User};
pub use dir::TempDir;
pub use file_server::FileServer;
pub use http_client::{Reply, bare, request};
pub use kamailio::{Account, Kamailio, Network};
pub use media_bot::{MediaBot, MediaDoor};
pub use ports::PortBlock;
pub use process::require_program;
pub use rtp_bot::RtpBot;
pub use secure_peer::{Certificate, SecurePeer};
pub use server::{Options, Server};
pub use sip_phone::SipPhone;
pub use sip_socket::{Registration, SipSocket};
pub use sipp::{Calls, Sipp, Traced};
pub use sound::{find_stretch, melody, sound_of};
pub use wait::{DEADLINE, eventually, within};
pub use web_meeting::{Visitor, WebMeeting};
pub use web_page::WebPage;
pub use web_phone::{WebPhone, WebSession};
pub use web_pictures::{Picture, WebPictures};
pub use web_stack::WebStack;
pub use webhook::{Answer, Received, Webhook};
