use serde_json::{Value, json};

/// Members that open something: the token that fetches a recording, and what connects an application with its call.
const SECRET: [&str; 2] = ["recordingAccessToken", "blob"];

/// A body without what opens something.
pub(super) fn without_secrets(mut body: Value) -> Value {
    redact(&mut body);
    body
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if SECRET.contains(&name.as_str()) && !member.is_null() {
                    *member = json!("(redacted)");
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_something_is_not_shown_wherever_it_is() {
        let body = json!({"value": [{"resourceData": {"recordingAccessToken": "secret", "id": "1"}}, {"blob": "s"}],
            "mediaConfig": {"blob": null}});
        let shown = without_secrets(body);
        let expected = json!({"value": [{"resourceData": {"recordingAccessToken": "(redacted)", "id": "1"}},
            {"blob": "(redacted)"}], "mediaConfig": {"blob": null}});
        assert_eq!(shown, expected);
    }
}
