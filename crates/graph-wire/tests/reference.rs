//! Holds the served description against the described API: `tests/reference/described.json` has the facts of the
//! latter, `tests/reference/differences.json` every intended difference with its reason. Both ways nothing is left over.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::{BTreeMap, BTreeSet};

use graph_wire::routes::{MEETING_ROUTES, ROUTES};
use serde_json::{Map, Value};

fn described() -> Value {
    serde_json::from_str(include_str!("reference/described.json")).unwrap()
}

/// The names that a list of differences holds, none of them without a reason.
fn excused(list: &str) -> BTreeSet<String> {
    let all: Value = serde_json::from_str(include_str!("reference/differences.json")).unwrap();
    let reasoned = |(name, reason): (&String, &Value)| {
        assert!(reason.as_str().is_some_and(|reason| !reason.is_empty()), "{name} has no reason");
        name.clone()
    };
    all[list].as_object().unwrap().iter().map(reasoned).collect()
}

fn served() -> Value {
    graph_wire::openapi::document("https://graph.example/v1.0")
}

fn local(reference: &str) -> String {
    reference.rsplit_once("microsoft.graph.").unwrap().1.to_owned()
}

/// A served schema in the notation of the facts, without nullability.
fn notation(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return local(reference);
    }
    if let Some(whole) = schema["allOf"].as_array() {
        return notation(&whole[0]);
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        return alternatives.iter().map(notation).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str().unwrap() {
        "array" => format!("[{}]", notation(&schema["items"])),
        "integer" => schema["format"].as_str().unwrap().to_owned(),
        "object" => schema["title"].as_str().unwrap().to_owned(),
        plain => plain.to_owned(),
    }
}

fn members_of(properties: &Value) -> BTreeMap<String, String> {
    let properties = properties.as_object().cloned().unwrap_or_default();
    let own = properties.into_iter().filter(|(name, _)| name != "@odata.type");
    own.map(|(name, schema)| (name, notation(&schema))).collect()
}

/// The members of a served type and of the types that it derives from.
fn served_members(name: &str, document: &Value) -> BTreeMap<String, String> {
    let schema = &document["components"]["schemas"][format!("microsoft.graph.{name}")];
    assert!(schema.is_object(), "{name} is not served");
    let Some(parts) = schema["allOf"].as_array() else { return members_of(&schema["properties"]) };
    let mut members = served_members(&local(parts[0]["$ref"].as_str().unwrap()), document);
    members.extend(members_of(&parts[1]["properties"]));
    members
}

/// The members of a described type and of the types that it derives from.
fn described_members(name: &str, facts: &Value) -> BTreeMap<String, String> {
    let whole = &facts["types"][name];
    let mut members = whole["base"].as_str().map(|base| described_members(base, facts)).unwrap_or_default();
    members.extend(strings(whole["members"].as_object().unwrap()));
    members
}

fn strings(members: &Map<String, Value>) -> BTreeMap<String, String> {
    let plain = |value: &Value| value.as_str().unwrap().trim_end_matches('?').to_owned();
    members.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

#[test]
fn every_described_operation_is_served_or_left_out_for_a_reason() {
    let document = served();
    let left_out = excused("operations not served");
    let mut described_names = BTreeSet::new();
    for fact in described()["operations"].as_array().unwrap() {
        let (method, path) = (fact["method"].as_str().unwrap(), fact["path"].as_str().unwrap());
        let name = format!("{method} {path}");
        let is_served = document["paths"][path][method.to_ascii_lowercase()].is_object();
        assert!(is_served != left_out.contains(&name), "{name}: served {is_served}");
        described_names.insert(name);
    }
    for route in ROUTES.iter().chain(MEETING_ROUTES) {
        assert!(described_names.contains(&format!("{} {}", route.method, route.path)), "{}", route.path);
    }
    assert!(left_out.is_subset(&described_names), "excuses for what nobody describes");
}

#[test]
fn what_only_beta_has_is_described_below_its_address() {
    let document = served();
    for route in graph_wire::routes::BETA_ROUTES {
        let path = &document["paths"][route.path];
        assert_eq!(path["servers"][0]["url"], "https://graph.example/beta", "{}", route.path);
        let operation = &path[route.method.to_ascii_lowercase()];
        assert!(operation["responses"][route.success.to_string()].is_object(), "{}", route.path);
        assert!(ROUTES.iter().all(|other| other.path != route.path), "{}", route.path);
    }
    assert_eq!(document["servers"][0]["url"], "https://graph.example/v1.0");
}

#[test]
fn requests_responses_and_permissions_of_served_operations_agree() {
    let (document, ours) = (served(), excused("permissions that nobody describes"));
    for fact in described()["operations"].as_array().unwrap() {
        let (method, path) = (fact["method"].as_str().unwrap(), fact["path"].as_str().unwrap());
        let operation = &document["paths"][path][method.to_ascii_lowercase()];
        if !operation.is_object() {
            continue;
        }
        let json = |body: &Value| body["content"]["application/json"]["schema"].clone();
        let request = json(&operation["requestBody"]);
        match &fact["request"] {
            Value::Object(parameters) => {
                assert_eq!(members_of(&request["properties"]), strings(parameters), "{method} {path}");
            }
            Value::String(name) => assert_eq!(&notation(&request), name, "{method} {path}"),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                assert_eq!(request, Value::Null, "{method} {path}")
            }
        }
        let responses = operation["responses"].as_object().unwrap();
        let (_, success) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
        match fact["response"].as_str() {
            Some(name) => assert_eq!(notation(&json(success)), name, "{method} {path}"),
            None => assert_eq!(json(success), Value::Null, "{method} {path}"),
        }
        let sorted = |list: &Value| {
            let names = list.as_array().unwrap().iter();
            names.map(|name| name.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        let permissions = sorted(&operation["x-permissions"]["application"]);
        let described = sorted(&fact["permissions"]);
        if ours.contains(&format!("{method} {path}")) {
            assert!(described.is_empty() && !permissions.is_empty(), "{method} {path}");
        } else {
            assert_eq!(permissions, described, "{method} {path}");
        }
    }
}

#[test]
fn members_of_served_types_agree_but_for_intended_differences() {
    let (document, facts) = (served(), described());
    let (left_out, added) = (excused("members not served"), excused("members that no type declares"));
    let mut used = BTreeSet::new();
    for name in facts["types"].as_object().unwrap().keys() {
        let (ours, theirs) = (served_members(name, &document), described_members(name, &facts));
        for (member, shape) in &ours {
            let full = format!("{name}.{member}");
            match theirs.get(member) {
                Some(described) => assert_eq!(shape, described, "{full}"),
                None if added.contains(&full) => drop(used.insert(full)),
                None => panic!("nobody describes {full}"),
            }
        }
        for member in theirs.keys().filter(|member| !ours.contains_key(*member)) {
            let full = format!("{name}.{member}");
            assert!(left_out.contains(&full), "{full} is not served");
            used.insert(full);
        }
    }
    assert_eq!(used, left_out.union(&added).cloned().collect(), "excuses that nothing needs");
}

#[test]
fn enumerations_agree_but_for_intended_differences() {
    let (document, facts) = (served(), described());
    let differences: Value = serde_json::from_str(include_str!("reference/differences.json")).unwrap();
    for (name, members) in facts["enumerations"].as_object().unwrap() {
        let ours = &document["components"]["schemas"][format!("microsoft.graph.{name}")]["enum"];
        let lower = |list: &Value| {
            let names = list.as_array().unwrap().iter();
            names.map(|member| member.as_str().unwrap().to_ascii_lowercase()).collect::<BTreeSet<_>>()
        };
        let none = Map::new();
        let excused = differences["enumeration members not served"][name].as_object().unwrap_or(&none);
        let mut expected = lower(members);
        for excuse in excused.keys() {
            assert!(expected.remove(&excuse.to_ascii_lowercase()), "{name}.{excuse} is excused for nothing");
        }
        assert_eq!(lower(ours), expected, "{name}");
    }
}

#[test]
fn every_served_type_is_one_that_is_described() {
    let (document, facts) = (served(), described());
    let ours = [
        "audioRoutingGroupCollectionResponse",
        "commsOperationCollectionResponse",
        "contentSharingSessionCollectionResponse",
        "error",
        "onlineMeetingCollectionResponse",
        "participantCollectionResponse",
        "recordCompletionReason",
    ];
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let name = local(name);
        let is_described = facts["types"][&name].is_object() || facts["enumerations"][&name].is_array();
        assert!(is_described || ours.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_reference_within_the_document_leads_somewhere() {
    fn check(value: &Value, document: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(|item| check(item, document)).sum(),
            Value::Object(members) => {
                let reference = members.get("$ref").and_then(Value::as_str);
                if let Some(pointer) = reference.and_then(|reference| reference.strip_prefix('#')) {
                    assert!(document.pointer(pointer).is_some(), "{pointer}");
                }
                usize::from(reference.is_some())
                    + members.values().map(|member| check(member, document)).sum::<usize>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    let document = served();
    assert!(check(&document, &document) > 50);
}
