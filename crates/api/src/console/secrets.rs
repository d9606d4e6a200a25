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
                } else if let (true, Value::String(address)) = (name == "callbackUri", &*member) {
                    *member = address_without_secrets(address).into();
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// An address without what commonly opens it: who it is for, and the values of its query.
pub(super) fn address_without_secrets(address: &str) -> String {
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let place = match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').map_or((rest, None), |(at, path)| (at, Some(path)));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let path = path.map(|path| format!("/{path}")).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => place.to_owned(),
    };
    if query.is_empty() {
        return place;
    }
    let hidden = |pair: &str| format!("{}=(redacted)", pair.split('=').next().unwrap_or_default());
    format!("{place}?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&"))
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

    #[test]
    fn addresses_are_shown_without_what_opens_them() {
        for (address, shown) in [
            ("https://bot.contoso.com/api/calls", "https://bot.contoso.com/api/calls"),
            (
                "https://bot.contoso.com/calls?code=s3cret&v=1",
                "https://bot.contoso.com/calls?code=(redacted)&v=(redacted)",
            ),
            ("https://user:pass@bot.contoso.com/a@b", "https://bot.contoso.com/a@b"),
            ("http://127.0.0.1:9000?", "http://127.0.0.1:9000"),
        ] {
            assert_eq!(address_without_secrets(address), shown);
            let body = without_secrets(json!({"callbackUri": address}));
            assert_eq!(body, json!({"callbackUri": shown}));
        }
    }
}
