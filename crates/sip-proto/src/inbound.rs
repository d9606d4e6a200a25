//! A request with the parts that every user agent server needs, read once.

use std::net::SocketAddr;

use sip_message::{CSeq, HeaderError, NameAddr, Request, Via};

use crate::flow::Flow;
use crate::transaction::server_key;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    /// The top Via notes where it came from.
    pub(crate) request: Request,
    /// The way it came.
    pub(crate) flow: Flow,
    /// The way its responses go.
    pub(crate) reply: Flow,
    pub(crate) from: NameAddr,
    pub(crate) to: NameAddr,
    pub(crate) call_id: String,
    pub(crate) cseq: CSeq,
    /// Names its server transaction.
    pub(crate) key: String,
}

impl Inbound {
    /// Reads what every request must have.
    pub(crate) fn new(mut request: Request, flow: Flow) -> Result<Self, HeaderError> {
        let mut vias = request.headers.vias()?;
        let mut top = vias.first().cloned().ok_or(HeaderError::Missing("Via"))?;
        top.note_source(flow.remote.ip(), flow.remote.port());
        if request.headers.get_all("Via").count() == vias.len() {
            request.headers.replace_first("Via", &top);
        } else {
            request.headers.remove("Via");
            if let Some(first) = vias.first_mut() {
                *first = top.clone();
            }
            for via in vias {
                request.headers.push("Via", via);
            }
        }
        let cseq = request.headers.cseq()?;
        if cseq.method != request.method {
            return Err(HeaderError::Malformed("CSeq"));
        }
        Ok(Self {
            flow,
            reply: reply_flow(flow, &top),
            from: request.headers.from()?,
            to: request.headers.to()?,
            call_id: request.headers.call_id()?.to_owned(),
            key: server_key(&request, &top, &cseq),
            cseq,
            request,
        })
    }

    pub(crate) fn has_to_tag(&self) -> bool {
        self.to.tag().is_some()
    }
}

/// Where responses to a request go (RFC 3261, 18.2.2; RFC 3581, 4).
///
/// `maddr` is not followed: it would let anyone aim our responses at an address of their choice.
fn reply_flow(flow: Flow, via: &Via) -> Flow {
    if flow.is_reliable() || via.wants_rport() {
        return flow;
    }
    Flow { remote: SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060)), ..flow }
}
