//! The bodies of what an application does with a call that comes in, and what only such a call shows.

use std::time::Duration;

use model::{
    Answer, AppId, CallOptions, CallRoute, Callee, Incoming, IncomingContext, InvitationParticipant,
    Modality, Person, Redirect, RedirectTarget, RejectReason,
};
use serde_json::Value;

use crate::action::parse_parameters;
use crate::call::read_call_options;
use crate::create_call::{read_id, read_modalities, read_person};
use crate::invalid_request::Path;
use crate::limits::{
    DEFAULT_REDIRECT_SECONDS, DEFAULT_SIMULTANEOUS_SECONDS, MAX_REDIRECT_SECONDS, MIN_REDIRECT_SECONDS,
};
use crate::media::check_url;
use crate::wire::{Body, Definition, Fields, Member, Nulls, Shape, Wire, wire_enum};
use crate::{InvalidRequest, Limits, MediaConfig};

wire_enum! {
    RejectReason as "rejectReason" {
        RejectReason::None = "none",
        RejectReason::Busy = "busy",
        RejectReason::Forbidden = "forbidden",
    }
}

/// The body of `answer`, found valid.
///
/// A client that accepts no modality gets audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerCall {
    /// Where later notifications go, where the body says so.
    pub callback_uri: Option<String>,
    /// The kinds of media that are accepted, each once, in their order.
    pub accepted_modalities: Vec<Modality>,
    /// Who hosts the media.
    pub media_config: MediaConfig,
    /// Options, where the body has any.
    pub call_options: Option<CallOptions>,
    /// How many participants the application takes; a matter of policy recording, which is not done here.
    pub participant_capacity: Option<i32>,
}

/// The body of `reject`, found valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectCall {
    /// Why.
    pub reason: RejectReason,
    /// Where the last notification goes, where the body says so.
    pub callback_uri: Option<String>,
}

/// The body of `redirect`, found valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectCall {
    /// At least one: a user, an application, an application instance or a phone number each.
    pub targets: Vec<RedirectTarget>,
    /// How long they may ring.
    pub timeout: Duration,
    /// Where the last notification goes, where the body says so.
    pub callback_uri: Option<String>,
}

impl AnswerCall {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = parse_parameters(body)?;
        let root = Fields::any(&value, &Path::Root)?;
        let media_config = root
            .value("mediaConfig")
            .ok_or_else(|| root.expected("mediaConfig", "a value: the member is required"))?;
        let participant_capacity: Option<i32> = root.optional("participantCapacity")?;
        if participant_capacity.is_some_and(|capacity| capacity < 1) {
            return Err(root.expected("participantCapacity", "at least 1"));
        }
        Ok(Self {
            callback_uri: read_callback_uri(&root, limits)?,
            accepted_modalities: read_modalities(&root, "acceptedModalities")?,
            media_config: MediaConfig::read(media_config, &Path::Member(&Path::Root, "mediaConfig"), limits)?,
            call_options: read_call_options(&root, "incomingCallOptions")?,
            participant_capacity,
        })
    }

    /// Whether the application hosts the media, which needs `Calls.AccessMedia.All`.
    pub const fn is_app_hosted(&self) -> bool {
        matches!(self.media_config, MediaConfig::AppHosted { .. })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![
            Member::new("acceptedModalities", Vec::<Modality>::shape()),
            Member::nullable("callOptions", Shape::Named("incomingCallOptions")),
            callback_uri_parameter(),
            Member::new("mediaConfig", Shape::Named("mediaConfig")),
            Member::nullable("participantCapacity", Shape::Int32),
        ]
    }
}

impl From<AnswerCall> for Answer {
    fn from(action: AnswerCall) -> Self {
        Self {
            callback_uri: action.callback_uri,
            accepted_modalities: action.accepted_modalities,
            media_config: action.media_config.into(),
            call_options: action.call_options,
        }
    }
}

impl RejectCall {
    /// Reads a body; an empty one gives no reason.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = parse_parameters(body)?;
        let root = Fields::any(&value, &Path::Root)?;
        let reason = root.optional("reason")?.unwrap_or(RejectReason::None);
        Ok(Self { reason, callback_uri: read_callback_uri(&root, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::nullable("reason", RejectReason::shape()), callback_uri_parameter()]
    }
}

impl RedirectCall {
    /// Reads a body. `routingPolicies`, which no type declares, says nothing to a server that forwards by itself nowhere.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = parse_parameters(body)?;
        let root = Fields::any(&value, &Path::Root)?;
        let targets: Vec<InvitationParticipant> = root.list("targets", limits.redirect_targets)?;
        if targets.is_empty() {
            return Err(root.expected("targets", "at least one item"));
        }
        let list = Path::Member(&Path::Root, "targets");
        let target = |(index, target)| read_redirect_target(target, &Path::Item(&list, index));
        let targets = targets.into_iter().enumerate().map(target).collect::<Result<Vec<_>, _>>()?;
        let timeout = read_timeout(&root, targets.len())?;
        Ok(Self { targets, timeout, callback_uri: read_callback_uri(&root, limits)? })
    }

    /// Turns the request into what the server does.
    pub fn into_redirect(self) -> Redirect {
        Redirect { targets: self.targets, timeout: self.timeout, callback_uri: self.callback_uri }
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![
            Member::new("targets", Vec::<InvitationParticipant>::shape()),
            Member::nullable("timeout", Shape::Int32),
            callback_uri_parameter(),
        ]
    }
}

fn callback_uri_parameter() -> Member {
    Member::nullable("callbackUri", Shape::Text)
}

fn read_callback_uri(root: &Fields<'_>, limits: &Limits) -> Result<Option<String>, InvalidRequest> {
    let callback_uri: Option<String> = root.optional("callbackUri")?;
    if let Some(uri) = &callback_uri {
        check_url(uri, &Path::Member(&Path::Root, "callbackUri"), limits)?;
    }
    Ok(callback_uri)
}

fn read_timeout(root: &Fields<'_>, targets: usize) -> Result<Duration, InvalidRequest> {
    let asked: Option<i32> = root.optional("timeout")?;
    let seconds = match asked.map(u32::try_from) {
        None if targets == 1 => DEFAULT_REDIRECT_SECONDS,
        None => DEFAULT_SIMULTANEOUS_SECONDS,
        Some(Ok(seconds)) if (MIN_REDIRECT_SECONDS..=MAX_REDIRECT_SECONDS).contains(&seconds) => seconds,
        Some(_) => {
            let range = format!("{MIN_REDIRECT_SECONDS} to {MAX_REDIRECT_SECONDS} seconds");
            return Err(root.expected("timeout", range));
        }
    };
    Ok(Duration::from_secs(seconds.into()))
}

/// Reads a target, which is exactly one of those that can be called. Unlike elsewhere, applications can.
fn read_redirect_target(
    target: InvitationParticipant,
    at: &Path<'_>,
) -> Result<RedirectTarget, InvalidRequest> {
    let set = &target.identity;
    let identity = Path::Member(at, "identity");
    let has_others = set.user.is_some() || set.phone.is_some();
    let callee = match (&set.application, &set.application_instance) {
        (Some(application), None) if !has_others => {
            Callee::Application(AppId::new(read_id(application, &Path::Member(&identity, "application"))?))
        }
        (None, Some(instance)) if !has_others => {
            let id = read_id(instance, &Path::Member(&identity, "applicationInstance"))?;
            Callee::ApplicationInstance(id.to_owned())
        }
        (None, None) if has_others => match read_person(&target, at)? {
            Person::Phone(number) => Callee::Phone(number),
            Person::User(user) => Callee::User(user),
            Person::Withheld => return Err(identity.expected("an id")),
        },
        _ => return Err(identity.expected("one of user, application, applicationInstance, phone")),
    };
    Ok(RedirectTarget { target, callee })
}

/// Writes what only a call that came in has.
pub(crate) fn write_incoming(body: &mut Body, incoming: &Incoming, nulls: Nulls) {
    body.set("incomingContext", context(&incoming.context, nulls));
    if !incoming.routes.is_empty() {
        let routes = incoming.routes.iter().map(|taken| route(taken, nulls)).collect::<Vec<Value>>();
        body.set("callRoutes", routes);
    }
}

fn context(context: &IncomingContext, nulls: Nulls) -> Value {
    let mut body = Body::of("incomingContext", nulls);
    body.optional("onBehalfOf", &context.on_behalf_of);
    body.set("sourceParticipantId", context.source_participant.to_string());
    body.optional("transferor", &context.transferor);
    body.into()
}

fn route(route: &CallRoute, nulls: Nulls) -> Value {
    let mut body = Body::of("callRoute", nulls);
    body.required("final", &route.redirected_to);
    body.required("original", &route.original);
    body.set("routingType", FORWARDED);
    body.into()
}

/// Of the ways in which calls are routed anew, the one that there is here (`routingType`).
const FORWARDED: &str = "forwarded";

/// The definitions of `incomingContext`, `callRoute` and `routingType`.
pub(crate) fn incoming_definitions() -> Vec<Definition> {
    let identity = |name| Member::new(name, Shape::Named("identitySet"));
    vec![
        Definition::Object {
            name: "incomingContext",
            base: None,
            members: vec![
                Member::nullable("onBehalfOf", Shape::Named("identitySet")),
                Member::nullable("sourceParticipantId", Shape::Text),
                Member::nullable("transferor", Shape::Named("identitySet")),
            ],
        },
        Definition::Object {
            name: "callRoute",
            base: None,
            members: vec![
                identity("final"),
                identity("original"),
                Member::new("routingType", Shape::Named("routingType")),
            ],
        },
        Definition::Enumeration { name: "routingType", members: vec![FORWARDED] },
    ]
}
