//! `audioRoutingGroup`.

use model::{AudioRoutingGroup, CallId, ParticipantId, RoutingMode};
use serde_json::{Value, json};

use crate::conference_action::read_participant_ids;
use crate::invalid_request::Path;
use crate::limits::MAX_GROUP_ID_CHARS;
use crate::wire::{Body, Definition, Fields, Member, Nulls, Wire, wire_enum};
use crate::{InvalidRequest, Limits, ReadOptions, json};

wire_enum! {
    RoutingMode as "routingMode" {
        RoutingMode::OneToOne = "oneToOne",
        RoutingMode::Multicast = "multicast",
    }
}

/// What a request says of a routing group. Whether its members fit its mode is for the conference to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingGroup {
    id: Option<String>,
    mode: Option<RoutingMode>,
    sources: Option<Vec<ParticipantId>>,
    receivers: Option<Vec<ParticipantId>>,
}

impl RoutingGroup {
    /// Reads a body; every member may be missing.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = json::parse(body)?;
        let fields = Fields::of(&value, &Path::Root, &["audioRoutingGroup"])?;
        let ids = |name| match fields.value(name) {
            Some(_) => read_participant_ids(&fields, name, limits).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            id: read_id(&fields)?,
            mode: fields.optional("routingMode")?,
            sources: ids("sources")?,
            receivers: ids("receivers")?,
        })
    }

    /// A new group; without an id one is made.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where the mode, the sources or the receivers are missing.
    pub fn into_new(self) -> Result<AudioRoutingGroup, InvalidRequest> {
        let missing = |name| Path::Member(&Path::Root, name).expected("a value: the member is required");
        Ok(AudioRoutingGroup {
            id: self.id.unwrap_or_default(),
            mode: self.mode.ok_or_else(|| missing("routingMode"))?,
            sources: self.sources.ok_or_else(|| missing("sources"))?,
            receivers: self.receivers.ok_or_else(|| missing("receivers"))?,
        })
    }

    /// A known group with what the request changes of it; its id stays.
    pub fn applied_to(self, known: AudioRoutingGroup) -> AudioRoutingGroup {
        AudioRoutingGroup {
            id: known.id,
            mode: self.mode.unwrap_or(known.mode),
            sources: self.sources.unwrap_or(known.sources),
            receivers: self.receivers.unwrap_or(known.receivers),
        }
    }
}

/// The id that the client chose: any text that a path can name.
fn read_id(fields: &Fields<'_>) -> Result<Option<String>, InvalidRequest> {
    let id: Option<String> = fields.optional("id")?;
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    if id.chars().count() > MAX_GROUP_ID_CHARS || id.chars().any(char::is_control) {
        let expected = format!("at most {MAX_GROUP_ID_CHARS} characters, none of them a control character");
        return Err(fields.expected("id", expected));
    }
    Ok(Some(id))
}

/// The body of the 200 that lists a call's routing groups. `base` is scheme, host and version of the API.
pub fn routing_group_list(
    base: &str,
    call: CallId,
    groups: &[AudioRoutingGroup],
    options: &ReadOptions,
) -> Value {
    let context = options.context();
    json!({
        "@odata.context": format!("{base}/$metadata#communications/calls('{call}')/audioRoutingGroups{context}"),
        "value": routing_group_items(groups, options),
    })
}

pub(crate) fn routing_group_items(groups: &[AudioRoutingGroup], options: &ReadOptions) -> Value {
    groups.iter().map(|group| options.apply(group_body(group))).collect()
}

/// The body of the 200 that shows one routing group, also one that was just made or changed.
pub fn read_routing_group(
    base: &str,
    call: CallId,
    group: &AudioRoutingGroup,
    options: &ReadOptions,
) -> Value {
    let mut value = options.apply(group_body(group));
    let context = options.context();
    value["@odata.context"] =
        format!("{base}/$metadata#communications/calls('{call}')/audioRoutingGroups{context}/$entity").into();
    value
}

fn group_body(group: &AudioRoutingGroup) -> Value {
    let texts = |ids: &[ParticipantId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut body = Body::of("audioRoutingGroup", Nulls::Show);
    body.set("id", group.id.as_str());
    body.required("routingMode", &group.mode);
    body.required("sources", &texts(&group.sources));
    body.required("receivers", &texts(&group.receivers));
    body.into()
}

/// The definition of `audioRoutingGroup`.
pub(crate) fn routing_group_definition() -> Definition {
    let members = vec![
        Member::new("receivers", Vec::<String>::shape()),
        Member::new("routingMode", RoutingMode::shape()),
        Member::new("sources", Vec::<String>::shape()),
    ];
    Definition::Object { name: "audioRoutingGroup", base: Some("entity"), members }
}
