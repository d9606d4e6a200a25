use std::net::IpAddr;

use bytes::Bytes;
use model::{PhoneNumber, TenantId, TrunkId};
use rtc_proto::sdp::SrtpPolicy;
use tokio::sync::mpsc;
use trace::Dialog;

use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::task::CallInput;

/// Somebody calls here; nothing has been answered.
pub(crate) struct IncomingCall {
    /// Who calls.
    pub(crate) caller: IncomingCaller,
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

/// Who calls here.
#[derive(Clone, Debug)]
pub(crate) enum IncomingCaller {
    /// Somebody of the phone network.
    Trunk(Box<TrunkCaller>),
    /// A user, by the address that was proven.
    User(String),
}

/// Somebody of the phone network who calls over a trunk.
#[derive(Clone, Debug)]
pub(crate) struct TrunkCaller {
    /// The tenant that has the number.
    pub(crate) tenant: TenantId,
    /// The trunk.
    pub(crate) trunk: TrunkId,
    /// Who calls, as the trunk's peer asserts where that is believed, else as it says. `None` where that is withheld, or is
    /// no number.
    pub(crate) number: Option<PhoneNumber>,
    /// The caller's name to show, from the same place.
    pub(crate) name: Option<String>,
    /// The number that is called.
    pub(crate) called: PhoneNumber,
    /// Whose that is.
    pub(crate) to: TrunkCallee,
}

/// Whose a number is that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrunkCallee {
    /// It is for the meetings of a tenant: the caller says which one.
    DialIn,
    /// The application instance with this id has it.
    Instance(String),
}

/// The phone that calls.
#[derive(Clone, Debug)]
pub(crate) struct CallingPhone {
    pub(crate) far_end: FarEnd,
    /// What it offers; `None` where it asks for an offer.
    pub(crate) offer: Option<Bytes>,
    /// Where its signalling comes from.
    pub(crate) source: IpAddr,
    /// Whether it is a trunk's peer.
    pub(crate) is_trunk: bool,
    /// How its sound is protected, where that is not as with all phones.
    pub(crate) srtp: Option<SrtpPolicy>,
    pub(crate) events: FarEndEvents,
}

impl IncomingCall {
    /// What an INVITE says, and the commands for its phone.
    pub(super) fn new(
        caller: IncomingCaller,
        incoming: &sip_proto::Incoming,
        dialog: Dialog,
    ) -> (Self, mpsc::UnboundedReceiver<FarEndCommand>) {
        let inputs = inputs();
        let events = FarEndEvents::to_call(inputs.0.clone()).of_dialog(dialog);
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
        let (source, is_trunk) = (incoming.flow.remote.ip(), incoming.peer.is_some());
        let offer = incoming.offer.clone();
        (Self { far_end, offer, source, is_trunk, srtp: None, events }, commands)
    }
}
