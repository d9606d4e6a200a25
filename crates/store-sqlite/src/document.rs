use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{MAX_DOCUMENT_BYTES, StoreError};

use crate::error::{Failure, corrupt};

/// Writes a value as the text that is stored.
pub(crate) fn write(value: &impl Serialize) -> Result<String, StoreError> {
    let text = serde_json::to_string(value)
        .map_err(|source| StoreError::Failed { doing: "write a value as JSON", source: Box::new(source) })?;
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(StoreError::Invalid("a value that is too large to be stored"));
    }
    Ok(text)
}

/// Reads a value back; `what` names its kind where that fails.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|source| corrupt(what, source))
}

#[cfg(test)]
mod tests {
    use model::ApplicationInstance;

    use super::{read, write};

    fn numbers_of(number: &str) -> Vec<String> {
        let text = format!(r#"{{"id":"i","app":"a","tenant":"t"{number}}}"#);
        let Ok(instance) = read::<ApplicationInstance>("instance", &text) else {
            return vec!["unread".to_owned()];
        };
        let again: ApplicationInstance = read("instance", &write(&instance).unwrap()).ok().unwrap();
        assert_eq!(again, instance);
        instance.numbers.iter().map(|number| number.as_str().to_owned()).collect()
    }

    #[test]
    fn an_application_instance_of_an_earlier_release_has_one_number_or_none() {
        assert_eq!(numbers_of(r#","number":"+12345678900""#), ["+12345678900"]);
        assert_eq!(
            numbers_of(r#","numbers":["+12345678900","+12345678901"]"#),
            ["+12345678900", "+12345678901"]
        );
        for none in [r#","number":null"#, "", r#","number":"extension 12""#, r#","numbers":[]"#] {
            assert!(numbers_of(none).is_empty(), "{none}");
        }
    }
}
