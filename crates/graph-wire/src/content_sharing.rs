//! Screens that are shared in a call: `contentSharingSession`.

use model::{CallId, ContentSharingSessionId};
use serde_json::{Value, json};

use crate::ReadOptions;
use crate::wire::{Body, Definition, Nulls};

/// The body of the 200 that lists what is shared in a call: one screen at the most. `base` is scheme, host and version of the API.
pub fn content_sharing_session_list(
    base: &str,
    call: CallId,
    session: Option<ContentSharingSessionId>,
    options: &ReadOptions,
) -> Value {
    let context = options.context();
    json!({
        "@odata.context":
            format!("{base}/$metadata#communications/calls('{call}')/contentSharingSessions{context}"),
        "value": content_sharing_items(session, options),
    })
}

/// The body of the 200 that shows one.
pub fn read_content_sharing_session(
    base: &str,
    call: CallId,
    session: ContentSharingSessionId,
    options: &ReadOptions,
) -> Value {
    let mut value = options.apply(session_body(session).into());
    let context = options.context();
    value["@odata.context"] =
        format!("{base}/$metadata#communications/calls('{call}')/contentSharingSessions{context}/$entity")
            .into();
    value
}

pub(crate) fn content_sharing_items(
    session: Option<ContentSharingSessionId>,
    options: &ReadOptions,
) -> Value {
    session.into_iter().map(|session| options.apply(session_body(session).into())).collect()
}

pub(crate) fn session_body(session: ContentSharingSessionId) -> Body {
    let mut body = Body::of("contentSharingSession", Nulls::Omit);
    body.set("id", session.to_string());
    body
}

/// The definition of `contentSharingSession`, which declares nothing of its own.
pub(crate) const fn content_sharing_definition() -> Definition {
    Definition::Object { name: "contentSharingSession", base: Some("entity"), members: Vec::new() }
}
