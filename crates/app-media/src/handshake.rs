//! How a byte stream becomes a WebSocket, in both roles.

use std::fmt;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

/// The largest message that is taken: 16 s of audio at 24 kHz as JSON.
pub const MAX_MESSAGE_OCTETS: usize = 1024 * 1024;
/// What is read at once, and is allocated for each socket: 20 ms at 48 kHz as JSON.
const READ_OCTETS: usize = 4096;
/// What is written at once where there is more: the mix and four talkers of a tick, at 16 kHz as JSON.
const WRITE_OCTETS: usize = 8192;

/// A byte stream, whatever is below it.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A WebSocket, accepted or dialled, to be given to [`crate::Handle::attach`].
pub struct Socket(pub(crate) WebSocketStream<Box<dyn Transport>>);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket(..)")
    }
}

/// A request that asks for no WebSocket; the text says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a WebSocket request: {0}")]
pub struct NotWebSocket(&'static str);

/// The application did not become a WebSocket's other end.
#[derive(Debug, thiserror::Error)]
#[error("failed to open a WebSocket")]
pub struct DialError(#[source] tungstenite::Error);

/// Answers the request for a WebSocket (RFC 6455, 4.2): 101 with the headers that belong to it.
///
/// # Errors
///
/// [`NotWebSocket`], which is a 400, or a 426 for another version.
pub fn accept(request: &HeaderMap) -> Result<Response<()>, NotWebSocket> {
    let has = |name, word: &str| {
        let values = request.get_all(name).into_iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    if !has(UPGRADE, "websocket") {
        return Err(NotWebSocket("no Upgrade: websocket"));
    }
    if !has(CONNECTION, "upgrade") {
        return Err(NotWebSocket("no Connection: upgrade"));
    }
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err(NotWebSocket("Sec-WebSocket-Version is not 13"));
    }
    let key = request.get(SEC_WEBSOCKET_KEY).ok_or(NotWebSocket("no Sec-WebSocket-Key"))?;
    if key.len() != 24 {
        return Err(NotWebSocket("Sec-WebSocket-Key is not 16 octets in base64"));
    }
    let accepted = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| NotWebSocket("Sec-WebSocket-Key is not 16 octets in base64"))?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accepted);
    Ok(response)
}

impl Socket {
    /// Takes over a stream on which a request was answered as [`accept`] says.
    pub async fn accepted(stream: impl Transport + 'static) -> Self {
        let stream: Box<dyn Transport> = Box::new(stream);
        Self(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await)
    }

    /// Asks the far end of a connected stream for a WebSocket at that address, with further headers.
    ///
    /// Takes as long as the far end likes; the caller bounds it.
    ///
    /// # Errors
    ///
    /// [`DialError`] where it refuses, answers something else or goes away.
    pub async fn dialled(
        stream: impl Transport + 'static,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Self, DialError> {
        let stream: Box<dyn Transport> = Box::new(stream);
        let mut request = url.as_str().into_client_request().map_err(DialError)?;
        request.headers_mut().extend(headers);
        let dialling = tokio_tungstenite::client_async_with_config(request, stream, Some(config()));
        let (socket, _) = dialling.await.map_err(DialError)?;
        Ok(Self(socket))
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_OCTETS)
        .write_buffer_size(WRITE_OCTETS)
        .max_message_size(Some(MAX_MESSAGE_OCTETS))
        .max_frame_size(Some(MAX_MESSAGE_OCTETS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_is_answered_with_the_key_of_rfc_6455() {
        let request = request(&[
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ]);
        let response = accept(&request).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"] {
            let mut without = request.clone();
            without.remove(missing);
            assert!(accept(&without).is_err(), "{missing}");
        }
    }
}
