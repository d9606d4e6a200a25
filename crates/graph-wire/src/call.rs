//! `call` and what only it uses.

use model::{
    AudioRoutingGroup, Call, CallDirection, CallOptions, CallState, ChatInfo, InvitationParticipant,
    MediaState, Modality, Operation, Participant, ResultInfo, RosterParticipant, ToneInfo,
};
use serde_json::Value;

use crate::content_sharing::content_sharing_items;
use crate::incoming::write_incoming;
use crate::invalid_request::Path;
use crate::media::CallMediaState;
use crate::operation::operation_list_items;
use crate::roster::participant_items;
use crate::routing_group::routing_group_items;
use crate::transcription::Transcription;
use crate::wire::{Body, Definition, Fields, Member, Nulls, Shape, Wire, wire_enum, wire_object};
use crate::{InvalidRequest, ReadOptions};

wire_enum! {
    CallDirection as "callDirection" {
        CallDirection::Incoming = "incoming",
        CallDirection::Outgoing = "outgoing",
    }
}

wire_enum! {
    CallState as "callState" {
        CallState::Incoming = "incoming",
        CallState::Establishing = "establishing",
        CallState::Established = "established",
        CallState::Transferring = "transferring",
        CallState::TransferAccepted = "transferAccepted",
        CallState::Redirecting = "redirecting",
        CallState::Terminating = "terminating",
        CallState::Terminated = "terminated",
    }
}

/// Reads options of a call where there are any, which may say that they are of this type or of its base.
pub(crate) fn read_call_options(
    root: &Fields<'_>,
    type_name: &'static str,
) -> Result<Option<CallOptions>, InvalidRequest> {
    let Some(value) = root.value("callOptions") else { return Ok(None) };
    let at = Path::Member(root.at(), "callOptions");
    let fields = Fields::of(value, &at, &[type_name, "callOptions"])?;
    Ok(Some(CallOptions {
        hide_bot_after_escalation: fields.optional("hideBotAfterEscalation")?,
        is_content_sharing_notification_enabled: fields.optional("isContentSharingNotificationEnabled")?,
        is_delta_roster_enabled: fields.optional("isDeltaRosterEnabled")?,
        is_interactive_roster_enabled: fields.optional("isInteractiveRosterEnabled")?,
    }))
}

fn call_options(options: &CallOptions, direction: CallDirection) -> Value {
    let name = match direction {
        CallDirection::Incoming => "incomingCallOptions",
        CallDirection::Outgoing => "outgoingCallOptions",
    };
    let mut body = Body::of(name, Nulls::Omit);
    body.optional("hideBotAfterEscalation", &options.hide_bot_after_escalation);
    body.optional("isContentSharingNotificationEnabled", &options.is_content_sharing_notification_enabled);
    body.optional("isDeltaRosterEnabled", &options.is_delta_roster_enabled);
    body.optional("isInteractiveRosterEnabled", &options.is_interactive_roster_enabled);
    body.into()
}

wire_object! {
    ResultInfo as "resultInfo" {
        code: "code" required,
        message: "message" required,
        subcode: "subcode" required,
    }
}

/// The body of the 201 that answers the creation of a call. `base` is scheme, host and version of the API.
pub fn created_call(base: &str, call: &Call) -> Value {
    let mut body = whole(call);
    body.set("@odata.context", format!("{base}/$metadata#app/calls/$entity"));
    body.into()
}

/// What hangs on a call and is shown within it where the options ask for it; what they do not ask for may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contained {
    /// Its operations.
    pub operations: Vec<Operation>,
    /// Its participants.
    pub participants: Vec<RosterParticipant>,
    /// Its private routes of sound.
    pub routing_groups: Vec<AudioRoutingGroup>,
}

/// The body of the 200 that shows a call.
pub fn read_call(base: &str, call: &Call, contained: &Contained, options: &ReadOptions) -> Value {
    let mut body = whole(call);
    // The answer to the creation shows null instead, as documented.
    body.nullable("transcription", &Transcription::of(call));
    if let Some(nested) = options.expanded("audioRoutingGroups") {
        body.set("audioRoutingGroups", routing_group_items(&contained.routing_groups, nested));
    }
    if let Some(nested) = options.expanded("operations") {
        body.set("operations", operation_list_items(&contained.operations, nested));
    }
    if let Some(nested) = options.expanded("participants") {
        body.set("participants", participant_items(&contained.participants, nested));
    }
    if let Some(nested) = options.expanded("contentSharingSessions") {
        body.set("contentSharingSessions", content_sharing_items(call.content_sharing, nested));
    }
    let mut value = options.apply(body.into());
    value["@odata.context"] =
        format!("{base}/$metadata#communications/calls{}/$entity", options.context()).into();
    value
}

/// A call with every member that the documented responses show.
fn whole(call: &Call) -> Body {
    let mut body = Body::of("call", Nulls::Show);
    body.required("activeModalities", &active_modalities(call));
    body.nullable("answeredBy", &call.answered_by);
    body.required("callbackUri", &call.callback_uri);
    if let Some(options) = &call.call_options {
        body.set("callOptions", call_options(options, call.direction));
    }
    body.empty("callRoutes");
    body.nullable("chatInfo", &call.chat);
    if let Some(incoming) = &call.incoming {
        write_incoming(&mut body, incoming, Nulls::Show);
    }
    let is_media_known = call.incoming.as_ref().is_none_or(|incoming| incoming.accepted_modalities.is_some());
    body.nullable("mediaConfig", &is_media_known.then(|| call.media_config.clone()));
    body.null("meetingCapability");
    body.nullable("meetingInfo", &call.meeting);
    body.set("myParticipantId", call.my_participant.to_string());
    body.required("requestedModalities", &call.requested_modalities);
    body.null("ringingTimeoutInSeconds");
    body.empty("routingPolicies");
    body.required("source", &call.source);
    body.nullable("subject", &call.subject);
    body.set("targets", targets(call, Nulls::Show));
    body.null("terminationReason");
    body.nullable("toneInfo", &call.tone);
    body.null("transcription");
    changing(&mut body, call);
    body
}

/// Whom it was made to. Documented calls to an application instance say which participant that is in them.
pub(crate) fn targets(call: &Call, nulls: Nulls) -> Vec<Value> {
    let mut targets: Vec<Value> = call.targets.iter().map(|target| target.write(nulls)).collect();
    if call.direction == CallDirection::Incoming && call.application_instance().is_some() {
        for target in targets.iter_mut().filter_map(Value::as_object_mut) {
            target.insert("id".to_owned(), call.my_participant.to_string().into());
        }
    }
    targets
}

/// What was asked for, and where the call came in also accepted, while sound flows.
fn active_modalities(call: &Call) -> Vec<Modality> {
    let accepted = call.incoming.as_ref().and_then(|incoming| incoming.accepted_modalities.as_ref());
    let is_active = |modality: &&Modality| {
        call.media_state == Some(MediaState::Active)
            && accepted.is_none_or(|accepted| accepted.contains(modality))
    };
    call.requested_modalities.iter().filter(is_active).copied().collect()
}

/// What every notification of a call says too.
pub(crate) fn changing(body: &mut Body, call: &Call) {
    body.set("id", call.id.to_string());
    body.set("callChainId", call.chain.to_string());
    body.required("direction", &call.direction);
    body.required("state", &call.state);
    body.nullable("mediaState", &call.media_state.map(|audio| CallMediaState { audio }));
    body.nullable("resultInfo", &call.outcome.map(model::Outcome::result_info));
    if call.is_tenant_shown {
        body.set("tenantId", call.tenant.as_str());
    }
}

/// The definition of `call`: what is read from requests and what is written.
pub(crate) fn call_definition() -> Definition {
    let named = |name, of| Member::nullable(name, Shape::Named(of));
    let list = |name, of| Member::new(name, Shape::List(Box::new(of)));
    let text = |name| Member::nullable(name, Shape::Text);
    Definition::Object {
        name: "call",
        base: Some("entity"),
        members: vec![
            list("activeModalities", Modality::shape()),
            Member::nullable("answeredBy", Participant::shape()),
            list("audioRoutingGroups", Shape::Named("audioRoutingGroup")),
            Member::new("callbackUri", Shape::Text),
            list("contentSharingSessions", Shape::Named("contentSharingSession")),
            text("callChainId"),
            named("callOptions", "callOptions"),
            list("callRoutes", Shape::Named("callRoute")),
            Member::nullable("chatInfo", ChatInfo::shape()),
            Member::nullable("direction", CallDirection::shape()),
            named("incomingContext", "incomingContext"),
            named("mediaConfig", "mediaConfig"),
            Member::nullable("mediaState", CallMediaState::shape()),
            text("meetingCapability"),
            named("meetingInfo", "meetingInfo"),
            text("myParticipantId"),
            list("operations", Shape::Named("commsOperation")),
            list("participants", Shape::Named("participant")),
            list("requestedModalities", Modality::shape()),
            Member::nullable("resultInfo", ResultInfo::shape()),
            Member::nullable("ringingTimeoutInSeconds", Shape::Int32),
            list("routingPolicies", Shape::Text),
            Member::nullable("source", Participant::shape()),
            Member::nullable("state", CallState::shape()),
            text("subject"),
            list("targets", InvitationParticipant::shape()),
            text("tenantId"),
            text("terminationReason"),
            Member::nullable("toneInfo", ToneInfo::shape()),
            Member::nullable("transcription", Transcription::shape()),
        ],
    }
}

/// The definitions of `callOptions`, which declares the members, and of its subtypes, which say whose they are.
pub(crate) fn call_options_definitions() -> Vec<Definition> {
    let names = [
        "hideBotAfterEscalation",
        "isContentSharingNotificationEnabled",
        "isDeltaRosterEnabled",
        "isInteractiveRosterEnabled",
    ];
    let members = names.map(|name| Member::nullable(name, Shape::Boolean)).into();
    let derived = |name| Definition::Object { name, base: Some("callOptions"), members: Vec::new() };
    vec![
        Definition::Object { name: "callOptions", base: None, members },
        derived("incomingCallOptions"),
        derived("outgoingCallOptions"),
    ]
}

/// The definition of `entity`, the base of everything with an id.
pub(crate) fn entity_definition() -> Definition {
    Definition::Object { name: "entity", base: None, members: vec![Member::new("id", Shape::Text)] }
}
