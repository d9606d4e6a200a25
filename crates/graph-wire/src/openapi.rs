//! The description of the served surface, OpenAPI 3.0.

use model::{
    CallDirection, CallState, ChangeType, ChatInfo, Identity, IdentitySet, MediaDirection, MediaInfo,
    MediaPrompt, MediaState, Modality, OperationStatus, RecordCompletion, RecordingStatus, RejectReason,
    ResultInfo, RoutingMode, ScreenSharingRole, SendDtmfCompletion, Tone, ToneInfo,
};
use serde_json::{Map, Value, json};

use crate::call::{call_definition, call_options_definitions, entity_definition};
use crate::content_sharing::content_sharing_definition;
use crate::incoming::incoming_definitions;
use crate::media::{CallMediaState, media_config_definitions};
use crate::meeting::meeting_info_definitions;
use crate::notification::notification_definitions;
use crate::online_meeting::meeting_definitions;
use crate::operation::operation_definitions;
use crate::people::{endpoint_type, invitation_definition, participant_definition};
use crate::roster::roster_definitions;
use crate::routes::{BETA_ROUTES, COMMON_ERRORS, MEETING_ROUTES, ROUTES, Request, Route};
use crate::routing_group::routing_group_definition;
use crate::transcription::{Transcription, TranscriptionState};
use crate::wire::{Defined, Definition, Member, Shape};

/// Describes everything in [`ROUTES`], [`MEETING_ROUTES`] and [`BETA_ROUTES`]. `base` is scheme, host and version of the API:
/// `https://graph.example/v1.0`.
pub fn document(base: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES.iter().chain(MEETING_ROUTES) {
        let path = paths.entry(route.path).or_insert_with(|| path_item(route.path));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    let beta = base.strip_suffix("/v1.0").map_or_else(|| base.to_owned(), |origin| format!("{origin}/beta"));
    for route in BETA_ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| path_item(route.path));
        path["servers"] = json!([{"url": beta}]);
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Hookswitch calls",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Calls and meetings of the cloud-communications API of Microsoft Graph, as far as this server \
                serves them. Every path is served below /app/calls too, every action under its qualified name \
                (microsoft.graph.playPrompt) too.",
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {"error": {
                "description": "The request was refused or has failed.",
                "content": content(reference("error")),
            }},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"bearer": []}],
    })
}

fn path_item(path: &str) -> Value {
    let names = path.split(['{', '}']).skip(1).step_by(2);
    let parameter =
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    match names.map(parameter).collect::<Vec<_>>() {
        parameters if parameters.is_empty() => json!({}),
        parameters => json!({"parameters": parameters}),
    }
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "responses": responses(route),
        "x-permissions": {"application": route.permissions},
    });
    match route.request {
        Request::Empty => {}
        Request::Named(name) => {
            operation["requestBody"] = json!({"required": true, "content": content(reference(name))});
            if name == "call" {
                operation["callbacks"] = callbacks();
            }
        }
        Request::Parameters(parameters) => {
            operation["requestBody"] = json!({"content": content(json!({"type": "object", "properties": properties(&parameters())}))});
        }
    }
    if route.method == "GET" {
        let mut parameters = ["$select", "$expand"].map(query_option).to_vec();
        if route.response == Some("onlineMeetingCollectionResponse") {
            let schema = json!({"type": "string"});
            parameters.push(json!({"name": "$filter", "in": "query", "required": true, "schema": schema}));
        }
        operation["parameters"] = parameters.into();
    }
    operation
}

fn callbacks() -> Value {
    json!({"notifications": {"{$request.body#/callbackUri}": {"post": {
        "summary": "Tells of a change.",
        "requestBody": {"content": content(reference("commsNotifications"))},
        "responses": {"2XX": {"description": "It was received."}},
    }}}})
}

fn query_option(name: &str) -> Value {
    let schema = json!({"type": "array", "items": {"type": "string"}});
    json!({"name": name, "in": "query", "style": "form", "explode": false, "schema": schema})
}

fn responses(route: &Route) -> Value {
    let mut success = json!({"description": "Success."});
    if let Some(response) = route.response {
        success["content"] = content(reference(response));
    }
    let mut responses = Map::new();
    if route.path.ends_with("/createOrGet") {
        responses.insert("201".to_owned(), success.clone());
    }
    responses.insert(route.success.to_string(), success);
    for status in route.errors.iter().chain(COMMON_ERRORS) {
        responses.insert(status.to_string(), json!({"$ref": "#/components/responses/error"}));
    }
    responses.into()
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn schemas() -> Value {
    let definitions = definitions();
    let mut schemas: Map<String, Value> = definitions
        .iter()
        .map(|definition| (qualified(definition.name()), schema(definition, &definitions)))
        .collect();
    for item in COLLECTED {
        let collection = json!({"type": "object", "properties": {
            "@odata.context": {"type": "string"},
            "value": {"type": "array", "items": reference(item)},
        }});
        schemas.insert(qualified(&format!("{item}CollectionResponse")), collection);
    }
    schemas.insert(qualified("error"), error_schema());
    schemas.into()
}

/// The types that are listed.
const COLLECTED: &[&str] =
    &["audioRoutingGroup", "commsOperation", "contentSharingSession", "onlineMeeting", "participant"];

fn error_schema() -> Value {
    let text = json!({"type": "string"});
    let inner = json!({"type": "object", "properties": {
        "date": text, "request-id": text, "client-request-id": text,
    }});
    let main = json!({"type": "object", "properties": {"code": text, "message": text, "innerError": inner}});
    json!({"type": "object", "properties": {"error": main}})
}

fn qualified(name: &str) -> String {
    format!("microsoft.graph.{name}")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", qualified(name))})
}

/// Every named type, each from the place that reads and writes it.
fn definitions() -> Vec<Definition> {
    let mut definitions = vec![
        Definition::Object { name: "prompt", base: None, members: Vec::new() },
        call_definition(),
        endpoint_type(),
        invitation_definition(),
        content_sharing_definition(),
        routing_group_definition(),
        entity_definition(),
        CallDirection::definition(),
        CallMediaState::definition(),
        CallState::definition(),
        ChangeType::definition(),
        ChatInfo::definition(),
        Identity::definition(),
        IdentitySet::definition(),
        MediaDirection::definition(),
        MediaInfo::definition(),
        MediaPrompt::definition(),
        MediaState::definition(),
        Modality::definition(),
        OperationStatus::definition(),
        participant_definition(),
        RecordCompletion::definition(),
        RecordingStatus::definition(),
        RejectReason::definition(),
        ResultInfo::definition(),
        RoutingMode::definition(),
        ScreenSharingRole::definition(),
        SendDtmfCompletion::definition(),
        Tone::definition(),
        ToneInfo::definition(),
        Transcription::definition(),
        TranscriptionState::definition(),
    ];
    definitions.extend(call_options_definitions());
    definitions.extend(incoming_definitions());
    definitions.extend(media_config_definitions());
    definitions.extend(meeting_definitions());
    definitions.extend(meeting_info_definitions());
    definitions.extend(notification_definitions());
    definitions.extend(operation_definitions());
    definitions.extend(roster_definitions());
    definitions
}

fn schema(definition: &Definition, all: &[Definition]) -> Value {
    let (name, base, members) = match definition {
        Definition::Enumeration { members, .. } => return json!({"type": "string", "enum": members}),
        Definition::Object { name, base, members } => (*name, base, members),
    };
    let mut own = json!({
        "type": "object",
        "properties": properties(members),
        "additionalProperties": true,
    });
    own["properties"]["@odata.type"] = json!({"type": "string"});
    let derived: Map<String, Value> = descendants(name, all)
        .into_iter()
        .map(|derived| {
            let place = format!("#/components/schemas/{}", qualified(derived));
            (format!("#{}", qualified(derived)), place.into())
        })
        .collect();
    if !derived.is_empty() {
        own["discriminator"] = json!({"propertyName": "@odata.type", "mapping": derived});
    }
    match base {
        None => own,
        Some(base) => json!({"allOf": [reference(base), own]}),
    }
}

/// The types that derive from one, near or far; the bases make a tree of at most three levels.
fn descendants(name: &str, all: &[Definition]) -> Vec<&'static str> {
    let children = all.iter().filter_map(|definition| match definition {
        Definition::Object { name: child, base: Some(base), .. } if *base == name => Some(*child),
        Definition::Object { .. } | Definition::Enumeration { .. } => None,
    });
    children.flat_map(|child| std::iter::once(child).chain(descendants(child, all))).collect()
}

fn properties(members: &[Member]) -> Map<String, Value> {
    members.iter().map(|member| (member.name.to_owned(), property(member))).collect()
}

fn property(member: &Member) -> Value {
    let mut schema = shape_schema(&member.shape);
    if !member.is_nullable {
        return schema;
    }
    // What stands beside a $ref is ignored in OpenAPI 3.0.
    if schema.get("$ref").is_some() {
        return json!({"allOf": [schema], "nullable": true});
    }
    schema["nullable"] = true.into();
    schema
}

fn shape_schema(shape: &Shape) -> Value {
    match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Int32 => json!({"type": "integer", "format": "int32"}),
        Shape::Int64 => json!({"type": "integer", "format": "int64"}),
        Shape::Moment => json!({"type": "string", "format": "date-time"}),
        Shape::Text => json!({"type": "string"}),
        Shape::Named(name) => reference(name),
        Shape::Open(name) => json!({"type": "object", "title": name}),
        Shape::List(item) => json!({"type": "array", "items": shape_schema(item)}),
        Shape::OneOrMany(name) => {
            json!({"oneOf": [reference(name), {"type": "array", "items": reference(name)}]})
        }
    }
}
