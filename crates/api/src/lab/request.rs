//! The body of a request for a call of the lab, read strictly: what is not known is refused.

use graph_wire::{InvalidRequest, json};
use serde_json::{Map, Value};

use super::port::LabStep;

/// Steps of one call. Arbitrary: far more than a test that people understand.
const MAX_STEPS: usize = 64;

/// The longest text of a member; addresses of files may carry signatures.
const MAX_TEXT: usize = 4096;

/// What the body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The id, address or name of a user.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) steps: Vec<LabStep>,
    pub(super) hang_up_after: Option<String>,
    pub(super) expect_timeout: Option<String>,
    pub(super) expect_refused: Option<u32>,
}

const MEMBERS: [&str; 6] = ["from", "to", "steps", "hangUpAfter", "expectTimeout", "expectRefused"];
const STEPS: &str = "one of say, tone, dtmf, expectTone, expectAudio, expectDtmf, hold, pause, transfer";

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// Names the place and what was expected there.
    pub(super) fn decode(body: &[u8]) -> Result<Self, InvalidRequest> {
        let body = json::parse(body)?;
        let members = object("$", &body)?;
        only("", members, &MEMBERS)?;
        let optional = |name| members.get(name).map(|value| text(name, value)).transpose();
        let steps = match members.get("steps") {
            None => Vec::new(),
            Some(steps) => list("steps", steps)?,
        };
        Ok(Self {
            from: text("from", required(members, "from")?)?,
            to: text("to", required(members, "to")?)?,
            steps,
            hang_up_after: optional("hangUpAfter")?,
            expect_timeout: optional("expectTimeout")?,
            expect_refused: members
                .get("expectRefused")
                .map(|value| number("expectRefused", value))
                .transpose()?,
        })
    }
}

fn list(path: &str, value: &Value) -> Result<Vec<LabStep>, InvalidRequest> {
    let steps = value.as_array().filter(|steps| steps.len() <= MAX_STEPS);
    let steps = steps.ok_or_else(|| expected(path, format!("an array of at most {MAX_STEPS} steps")))?;
    steps.iter().enumerate().map(|(at, value)| step(&format!("{path}[{at}]"), value)).collect()
}

fn step(path: &str, value: &Value) -> Result<LabStep, InvalidRequest> {
    let members = object(path, value)?;
    let mut all = members.iter();
    let (Some((name, value)), None) = (all.next(), all.next()) else {
        return Err(expected(path, format!("an object with one member, {STEPS}")));
    };
    let path = format!("{path}.{name}");
    Ok(match name.as_str() {
        "dtmf" => LabStep::Dtmf(text(&path, value)?),
        "expectAudio" => {
            let (uri, within) = detailed(&path, value, ("uri", "within"), text)?;
            LabStep::ExpectAudio { uri, within }
        }
        "expectDtmf" => LabStep::ExpectDtmf(text(&path, value)?),
        "expectTone" => LabStep::ExpectTone(number(&path, value)?),
        "hold" => LabStep::Hold(text(&path, value)?),
        "pause" => LabStep::Pause(text(&path, value)?),
        "say" => LabStep::Say(text(&path, value)?),
        "tone" => {
            let (hz, length) = detailed(&path, value, ("hz", "for"), number)?;
            LabStep::Tone { hz, length }
        }
        "transfer" => LabStep::Transfer(text(&path, value)?),
        _ => return Err(expected(&path, STEPS)),
    })
}

/// A value by itself, or an object of it and a length of time.
fn detailed<T>(
    path: &str,
    value: &Value,
    (main, detail): (&str, &str),
    read: impl Fn(&str, &Value) -> Result<T, InvalidRequest>,
) -> Result<(T, Option<String>), InvalidRequest> {
    let Some(members) = value.as_object() else { return Ok((read(path, value)?, None)) };
    only(path, members, &[main, detail])?;
    let (main_path, detail_path) = (format!("{path}.{main}"), format!("{path}.{detail}"));
    let value = members.get(main).ok_or_else(|| expected(&main_path, "a value"))?;
    let length = members.get(detail).map(|length| text(&detail_path, length)).transpose()?;
    Ok((read(&main_path, value)?, length))
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, InvalidRequest> {
    value.as_object().ok_or_else(|| expected(path, "an object"))
}

fn required<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a Value, InvalidRequest> {
    members.get(name).ok_or_else(|| expected(name, "a text"))
}

fn only(path: &str, members: &Map<String, Value>, known: &[&str]) -> Result<(), InvalidRequest> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(_) => {
            let place = if path.is_empty() { "$" } else { path };
            Err(expected(place, format!("no other members than {}", known.join(", "))))
        }
    }
}

fn text(path: &str, value: &Value) -> Result<String, InvalidRequest> {
    let text = value.as_str().filter(|text| (1..=MAX_TEXT).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| expected(path, format!("a text of 1 to {MAX_TEXT} octets")))
}

fn number(path: &str, value: &Value) -> Result<u32, InvalidRequest> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| expected(path, "a whole number"))
}

fn expected(path: &str, expected: impl Into<String>) -> InvalidRequest {
    InvalidRequest::Member { path: path.to_owned(), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_in_its_order() {
        let body =
            br#"{"from": "john", "to": "sip:bot", "hangUpAfter": "5s", "expectTimeout": "3s", "steps": [
            {"say": "https://cdn.contoso.com/hello.wav"}, {"tone": 440}, {"tone": {"hz": 350, "for": "3s"}},
            {"dtmf": "1#"}, {"expectTone": 440}, {"expectAudio": "https://a/b"},
            {"expectAudio": {"uri": "https://a/c", "within": "300ms"}}, {"expectDtmf": "2"}, {"hold": "2s"},
            {"pause": "1s"}, {"transfer": "bob"},]}"#;
        let request = Request::decode(body).unwrap();
        let text = str::to_owned;
        assert_eq!((request.from, request.to), (text("john"), text("sip:bot")));
        assert_eq!((request.hang_up_after, request.expect_timeout), (Some(text("5s")), Some(text("3s"))));
        assert_eq!(
            request.steps,
            [
                LabStep::Say(text("https://cdn.contoso.com/hello.wav")),
                LabStep::Tone { hz: 440, length: None },
                LabStep::Tone { hz: 350, length: Some(text("3s")) },
                LabStep::Dtmf(text("1#")),
                LabStep::ExpectTone(440),
                LabStep::ExpectAudio { uri: text("https://a/b"), within: None },
                LabStep::ExpectAudio { uri: text("https://a/c"), within: Some(text("300ms")) },
                LabStep::ExpectDtmf(text("2")),
                LabStep::Hold(text("2s")),
                LabStep::Pause(text("1s")),
                LabStep::Transfer(text("bob")),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, complaint) in [
            ("[]", "$: expected an object"),
            (r#"{"to": "bot"}"#, "from: expected a text"),
            (r#"{"from": "", "to": "bot"}"#, "from: expected a text of 1 to 4096 octets"),
            (r#"{"from": "a", "to": "b", "callbackUri": "c"}"#, "$: expected no other members than from, to"),
            (r#"{"from": "a", "to": "b", "steps": {}}"#, "steps: expected an array of at most 64 steps"),
            (r#"{"from": "a", "to": "b", "steps": [1]}"#, "steps[0]: expected an object"),
            (r#"{"from": "a", "to": "b", "steps": [{}]}"#, "steps[0]: expected an object with one member"),
            (
                r#"{"from": "a", "to": "b", "steps": [{"say": "c", "tone": 1}]}"#,
                "steps[0]: expected an object with one member",
            ),
            (r#"{"from": "a", "to": "b", "steps": [{"dance": 1}]}"#, "steps[0].dance: expected one of say"),
            (
                r#"{"from": "a", "to": "b", "steps": [{"tone": "1"}]}"#,
                "steps[0].tone: expected a whole number",
            ),
            (
                r#"{"from": "a", "to": "b", "steps": [{"tone": {"for": "1s"}}]}"#,
                "steps[0].tone.hz: expected a value",
            ),
            (
                r#"{"from": "a", "to": "b", "steps": [{"expectAudio": {"uri": "c", "soon": 1}}]}"#,
                "steps[0].expectAudio: expected no other members than uri, within",
            ),
            (r#"{"from": "a""#, "malformed JSON at line 1"),
        ] {
            let error = Request::decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(complaint), "{body}: {error}");
        }
        let many = vec![r#"{"dtmf": "1"}"#; 65].join(",");
        let body = format!(r#"{{"from": "a", "to": "b", "steps": [{many}]}}"#);
        assert!(Request::decode(body.as_bytes()).is_err());
    }
}
