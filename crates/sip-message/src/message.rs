//! Requests and responses, and how they are written.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Headers, Method, StatusCode, Uri};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// The header fields; Content-Length is written from the body, whatever stands here.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    /// A response with what RFC 3261, 8.2.6.2 wants copied: Via, From, To, Call-ID and CSeq, and for 100 Timestamp.
    /// To gets no tag here; see [`Headers::set_to_tag`].
    pub fn response(&self, status: StatusCode) -> Response {
        let mut response = Response::new(status);
        for (name, value) in self.headers.iter() {
            let copied = match name {
                "Via" => true,
                "From" | "To" | "Call-ID" | "CSeq" => !response.headers.has(name),
                "Timestamp" => status == StatusCode::TRYING,
                _ => false,
            };
            if copied {
                response.headers.push(name, value);
            }
        }
        response
    }

    /// The request as it goes onto the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = start(&self.headers, &self.body);
        put_word(&mut out, self.method.as_str());
        out.put_u8(b' ');
        put_word(&mut out, &self.uri.to_string());
        out.put_slice(b" SIP/2.0\r\n");
        finish(out, &self.headers, &self.body)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The reason phrase, possibly empty.
    pub reason: String,
    /// The header fields; Content-Length is written from the body, whatever stands here.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response with the registered reason phrase and nothing else.
    pub fn new(status: StatusCode) -> Self {
        Self { status, reason: status.reason().to_owned(), headers: Headers::new(), body: Bytes::new() }
    }

    /// The response as it goes onto the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = start(&self.headers, &self.body);
        out.put_slice(b"SIP/2.0 ");
        out.put_slice(self.status.to_string().as_bytes());
        out.put_u8(b' ');
        let is_line_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        out.extend(self.reason.bytes().filter(|byte| !is_line_break(byte)));
        out.put_slice(b"\r\n");
        finish(out, &self.headers, &self.body)
    }
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }

    /// The message as it goes onto the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

fn start(headers: &Headers, body: &Bytes) -> BytesMut {
    // A start line of 128 octets is typical; the buffer grows where that is not enough.
    let fields: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    BytesMut::with_capacity(128 + fields + body.len())
}

/// Writes one word of a start line. Octets that would end the word are left out, so no value can add a line.
fn put_word(out: &mut BytesMut, word: &str) {
    out.extend(word.bytes().filter(|byte| !matches!(byte, 0..=b' ' | 0x7f)));
}

fn finish(mut out: BytesMut, headers: &Headers, body: &Bytes) -> Bytes {
    let mut length_written = false;
    for (name, value) in headers.iter() {
        if name != "Content-Length" {
            put_field(&mut out, name, value);
        } else if !length_written {
            put_field(&mut out, name, &body.len().to_string());
            length_written = true;
        }
    }
    if !length_written {
        put_field(&mut out, "Content-Length", &body.len().to_string());
    }
    out.put_slice(b"\r\n");
    out.put_slice(body);
    out.freeze()
}

fn put_field(out: &mut BytesMut, name: &str, value: &str) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}
