//! Audio of a call to and from an application's own program, over WebSocket.
//!
//! An application that hosts its media itself gets a [`Session`]: a task that carries audio between the sockets which are
//! [attached](Handle::attach) to it, one after the other, and a media thread behind an [`AudioPort`]. All that it decides
//! is in [`Engine`], which has neither sockets nor a clock. Who may dial in is decided by [`Tickets`]; what a request's
//! blob asks for is read by [`read_blob`]. Nothing here opens a connection: whoever has one makes a [`Socket`] of it, as
//! the server ([`accept`], [`Socket::accepted`]) or as the client ([`Socket::dialled`]).
//!
//! # Messages
//!
//! Audio is PCM, 16 bit, little-endian, mono, at the socket's [`Rate`]. What is heard comes in pieces of 20 ms; what is to
//! be said may come in pieces of any size and at any speed, and is said in real time. What a socket that stood still delays
//! is made up for: where sound comes at its own pace and is late all the same, frames softer than -50 dBFS are left out; they
//! count as heard. Members are shown in the order in which the server writes them; unknown ones are ignored.
//!
//! ## `acs`
//!
//! The JSON of audio streaming in Azure Communication Services, each message a text. From the server:
//!
//! | message | when |
//! |---|---|
//! | `{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"…","encoding":"PCM","sampleRate":16000,"channels":1,"length":640}}` | first |
//! | `{"kind":"AudioData","audioData":{"timestamp":"2024-11-15T19:16:12.925Z","participantRawID":"…","data":"…","silent":false}}` | every 20 ms for each source; without `participantRawID` it is the mix. `data` is base64 |
//! | `{"kind":"DtmfData","dtmfData":{"data":"5"}}` | a key was heard |
//! | `{"kind":"MarkData","markData":{"id":"…","status":"completed"}}` | what came before a mark has been heard, or was `cancelled` |
//!
//! The first message has one member more where the application dials in: `"hookswitch":{"resumeUrl":"wss://…"}` is where
//! it may dial in once more, should it lose this socket.
//!
//! To the server, with member names in camelCase or PascalCase (`kind` or `Kind`), `kind` in any case:
//!
//! | message | what it does |
//! |---|---|
//! | `{"kind":"AudioData","audioData":{"data":"…"}}` | is said after all before it; with `"mark":{"id":"…"}` its end is a mark |
//! | `{"kind":"StopAudio","stopAudio":{}}` | drops what has not been heard |
//! | `{"kind":"MarkData","markData":{"id":"…"}}` | makes the end of what was sent a mark |
//! | `{"kind":"AudioMetadata","audioMetadata":{"sampleRate":16000}}` | nothing, unless it is not the socket's format: that closes it |
//!
//! ## `hookswitch`
//!
//! The same messages, but for audio from the server, which is binary, a header of [`BINARY_HEADER_OCTETS`] and samples:
//!
//! | octets | little-endian |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | 0 for the mix, 1 for a participant |
//! | 2 | 1 where nobody speaks, else 0 |
//! | 3 | 0 |
//! | 4 to 7 | `sourceId` of the participant's audio in the roster, 0 for the mix |
//! | 8 to 15 | when the first sample was heard, in 1/48,000 s since 1970; it grows by 960 with each piece |
//! | 16 to 31 | the participant's id, the octets of the GUID in the order in which it is written; zero for the mix |
//! | 32 … | samples |
//!
//! Binary messages to the server are samples without any header. `AudioData` as text is taken, too.
//!
//! More from the server:
//!
//! | message | when |
//! |---|---|
//! | in the first one, `"hookswitch":{"version":1,"channels":"both","maxQueuedMs":120000,"participants":[…],"dominantSpeaker":…,"resumeUrl":"…"}` | participants and speaker as below; `channels` is `mixed`, `unmixed` or `both` |
//! | `{"kind":"MarkReached","name":"…","heardMs":1040}`, `{"kind":"MarkCleared",…}` | instead of `MarkData`; `heardMs` is how much of all that was said has been heard |
//! | `{"kind":"Cleared","droppedMs":…,"heardMs":…}` | after a clear: what was dropped |
//! | `{"kind":"Roster","participants":[{"participantId":"…","sourceId":"7"}]}` | who can be heard, all of them; the ids of notifications |
//! | `{"kind":"DominantSpeaker","participantId":"…","sourceId":"7"}` | somebody else speaks most; both null where nobody does |
//! | `{"kind":"DtmfData","dtmfData":{"data":"5","tone":"tone5","participantId":"…"}}` | the name as in notifications; the id where it is known |
//!
//! More to the server: `{"kind":"Mark","name":"…"}`, `{"kind":"Clear"}`, `{"kind":"Pause"}`, `{"kind":"Resume"}`. After a
//! pause up to five frames are still heard, which the media thread already has. The next socket begins without a pause.
//!
//! # Bounds
//!
//! | of | bound | beyond it |
//! |---|---|---|
//! | a message | [`MAX_MESSAGE_OCTETS`] | 1009 |
//! | audio that waits to be heard | two minutes ([`Limits::queued`]) | 1009 |
//! | marks that wait to be heard | 256, names of 256 octets | 1008, 1007 |
//! | messages | 40,000 at once, then 2,000 a second; a kibibyte more counts as one more | 1008 |
//! | audio that the application does not read | 128 KiB | the oldest is lost and counted |
//! | control messages that it does not read | 1,024, a mebibyte | 1008 |
//! | how long it does not read, or is silent to pings | [`Limits::unread`], [`Limits::silent`] | 1008 |
//!
//! What is malformed closes the socket with 1007, what the dialect does not have with 1003, what is no WebSocket with 1002;
//! the reason says what it was ([`Violation`]). The application may come back.

mod base64;
mod blob;
mod capture;
mod convert;
mod decode;
mod encode;
mod engine;
mod farewell;
mod format;
mod handle;
mod handshake;
mod link;
mod outbox;
mod playout;
mod port;
mod session;
mod standing;
mod throttle;
mod tickets;
mod violation;

pub use blob::{Blob, BlobError, MAX_BLOB_OCTETS, WebSocketBlob, accepted_blob, invitation_blob, read_blob};
pub use encode::{BINARY_HEADER_OCTETS, BINARY_VERSION, Outgoing, Person};
pub use engine::{Counts, Engine, Event, Limits, Reaction};
pub use format::{Channels, Dialect, Format, FormatError, Rate};
pub use handle::{Cause, Config, Ended, Gone, Handle, Lost, State};
pub use handshake::{DialError, MAX_MESSAGE_OCTETS, NotWebSocket, Socket, Transport, accept};
pub use port::{AudioPort, Heard, Source};
pub use session::Session;
pub use tickets::{TICKET_OCTETS, Ticket, Tickets, TicketsFull};
pub use violation::{Closing, Violation};
