//! Audio of a call to and from an application's own program, over WebSocket.
//!
//! What a request's blob asks for is read by [`read_blob`]; who may dial in is decided by [`Tickets`].

mod blob;
mod format;
mod tickets;

pub use blob::{Blob, BlobError, MAX_BLOB_OCTETS, WebSocketBlob, accepted_blob, invitation_blob, read_blob};
pub use format::{Channels, Dialect, Format, FormatError, Rate};
pub use tickets::{TICKET_OCTETS, Ticket, Tickets, TicketsFull};
