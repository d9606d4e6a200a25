//! Input that is no acceptable message.

use crate::{HeaderError, Headers, Method, Request, Response, StatusCode, Uri};

/// Why input was refused, and the answer to it where there can be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with {status}: {reason}")]
pub struct Reject {
    /// The status that says what is wrong: 400, 414, 505 or 513.
    pub status: StatusCode,
    /// What is wrong, for the log and the reason phrase.
    pub reason: String,
    /// The answer, to be sent to where the input came from. There is none for responses, for ACK, and when no Via
    /// was found. Its header fields are copied as they came, so the top Via may be malformed.
    pub reply: Option<Response>,
}

/// A problem found while reading.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl Problem {
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The refusal of a message whose method and header fields are known as far as they could be read.
    pub(crate) fn reject(self, method: Option<Method>, headers: Headers) -> Reject {
        let answerable = method.filter(|method| *method != Method::Ack && headers.has("Via"));
        let reply = answerable.map(|method| {
            let tag = stateless_tag(&headers);
            // Only the header fields of the request matter for its response.
            let uri = Uri::sip("", crate::Host::Name("invalid".to_owned()));
            let mut request = Request::new(method, uri);
            request.headers = headers;
            let mut response = request.response(self.status);
            response.reason.clone_from(&self.reason);
            if response.headers.to().is_ok_and(|to| to.tag().is_none()) {
                // The address was just read, so the tag can be set.
                let _ = response.headers.set_to_tag(&tag);
            }
            response
        });
        Reject { status: self.status, reason: self.reason, reply }
    }
}

impl From<HeaderError> for Problem {
    fn from(error: HeaderError) -> Self {
        Self::bad(match error {
            HeaderError::Malformed(name) => format!("Malformed {name}"),
            HeaderError::Missing(name) => format!("Missing {name}"),
            HeaderError::Repeated(name) => format!("Repeated {name}"),
        })
    }
}

/// The same tag for every copy of a request, as RFC 3261, 8.2.7 wants of stateless answers: FNV-1a over what
/// identifies the request.
fn stateless_tag(headers: &Headers) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for name in ["Call-ID", "From", "CSeq", "Via"] {
        for byte in headers.get(name).unwrap_or_default().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}
