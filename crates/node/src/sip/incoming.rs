use std::net::IpAddr;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::task::CallInput;

/// A phone of a user calls somebody here; nothing has been answered.
pub(crate) struct IncomingCall {
    /// The user who calls, by the address that was proven.
    pub(crate) caller: String,
    /// Who is called: the part before the `@`.
    pub(crate) dialled: String,
    /// The part after it, without a port.
    pub(crate) domain: String,
    /// What it is about, for people.
    pub(crate) subject: Option<String>,
    pub(crate) phone: CallingPhone,
    /// The call's own queue, in which the phone reports from the first moment.
    pub(crate) inputs: (Inputs<CallInput>, InputQueue<CallInput>),
}

/// The phone that calls.
#[derive(Clone, Debug)]
pub(crate) struct CallingPhone {
    pub(crate) far_end: FarEnd,
    /// What it offers; `None` where it asks for an offer.
    pub(crate) offer: Option<Bytes>,
    /// Where its signalling comes from.
    pub(crate) source: IpAddr,
    pub(crate) events: FarEndEvents,
}

impl IncomingCall {
    /// What an INVITE says, and the commands for its phone.
    pub(super) fn new(
        caller: String,
        incoming: &sip_proto::Incoming,
    ) -> (Self, mpsc::UnboundedReceiver<FarEndCommand>) {
        let inputs = inputs();
        let events = FarEndEvents::to_call(inputs.0.clone());
        let (phone, commands) = CallingPhone::new(incoming, events);
        let dialled = incoming.request_uri.user().unwrap_or_default();
        let domain = incoming.request_uri.host().map(ToString::to_string).unwrap_or_default();
        (Self { caller, dialled, domain, subject: incoming.subject.clone(), phone, inputs }, commands)
    }
}

impl CallingPhone {
    /// A phone that reports to `events`, and the commands for it.
    pub(super) fn new(
        incoming: &sip_proto::Incoming,
        events: FarEndEvents,
    ) -> (Self, mpsc::UnboundedReceiver<FarEndCommand>) {
        let (far_end, commands) = FarEnd::new();
        let (offer, source) = (incoming.offer.clone(), incoming.flow.remote.ip());
        (Self { far_end, offer, source, events }, commands)
    }
}
