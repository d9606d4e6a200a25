//! How a socket is closed so that the far end learns why.

use std::time::Duration;

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::time::timeout;

use crate::handshake::MAX_MESSAGE_OCTETS;
use crate::link::{Link, close_frame};
use crate::violation::Closing;

/// What is thrown away at most: a message that was too long, and what was on its way behind it.
const MAX_IGNORED_OCTETS: u64 = 2 * MAX_MESSAGE_OCTETS as u64;

/// Closes a socket with a code and a reason, or answers the far end's close.
///
/// What the far end still sends is read and thrown away until it closes, too: a TCP connection that is dropped with
/// something unread is reset, and a reset overtakes the close frame.
pub(crate) async fn say_farewell(link: Link, closing: Option<Closing>, within: Duration) {
    let mut socket = link.into_socket().0;
    let farewell = async {
        match &closing {
            Some(closing) => drop(socket.send(close_frame(closing)).await),
            None => drop(socket.flush().await),
        }
        let stream = socket.get_mut();
        if stream.shutdown().await.is_ok() {
            drop(copy(&mut stream.take(MAX_IGNORED_OCTETS), &mut sink()).await);
        }
    };
    // Whoever takes longer knows no more than that the socket broke.
    drop(timeout(within, farewell).await);
}
