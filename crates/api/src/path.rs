use std::borrow::Cow;
use std::fmt::Write as _;

use model::CallId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A path in the one spelling that the routes know.
///
/// Clients write the same resource in many ways: two versions, `/app` for `/communications`, qualified action names,
/// OData keys (`calls('id')`), ids in any case and without dashes, needless percent-encoding, a slash at the end. All of
/// them become one here, so that there is one route for each resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NormalPath {
    /// Which version was asked for; `None` outside of the Graph API.
    pub(crate) version: Option<Version>,
    /// The path; that of every version starts with `/v1.0`.
    pub(crate) path: String,
}

/// A version of the API. Both serve the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Beta,
    V1,
}

impl Version {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        }
    }
}

/// No resource has such a path: it does not decode to text, or holds control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path is not text")]
pub(crate) struct NotText;

/// Path segments as the routes spell them; requests may use any case.
const NAMES: [&str; 28] = [
    "communications",
    "audioRoutingGroups",
    "calls",
    "me",
    "onlineMeetings",
    "operations",
    "participants",
    "recordings",
    "users",
    "addLargeGalleryView",
    "admitFromLobby",
    "answer",
    "cancelMediaProcessing",
    "changeScreenSharingRole",
    "createOrGet",
    "keepAlive",
    "mute",
    "playPrompt",
    "recordResponse",
    "redirect",
    "removeFromLobby",
    "sendDtmfTones",
    "startHoldMusic",
    "stopHoldMusic",
    "subscribeToTone",
    "transfer",
    "unmute",
    "updateRecordingStatus",
];

/// Actions of a whole collection, which stand where an id could.
const ACTIONS_OF_ALL: [(&str, &str); 4] = [
    ("onlineMeetings", "createOrGet"),
    ("participants", "admitAllFromLobby"),
    ("participants", "invite"),
    ("participants", "muteAll"),
];

/// What stays as it is in a segment: the unreserved characters of RFC 3986, 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const NAMESPACE: &str = "microsoft.graph.";

/// Brings a request's path into the one spelling.
///
/// # Errors
///
/// [`NotText`] where no resource can have the path.
pub(crate) fn normalise(path: &str) -> Result<NormalPath, NotText> {
    let mut segments =
        path.strip_prefix('/').unwrap_or(path).split('/').map(decode).collect::<Result<Vec<_>, NotText>>()?;
    while segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
    }
    let version = match segments.first().map(|first| first.to_ascii_lowercase()).as_deref() {
        Some("v1.0") => Some(Version::V1),
        Some("beta") => Some(Version::Beta),
        _ => None,
    };
    if version.is_none() {
        return Ok(NormalPath { version, path: join(segments.iter().map(AsRef::as_ref)) });
    }
    let resource = canonical(segments.iter().skip(1).map(AsRef::as_ref));
    let path = join(std::iter::once("v1.0").chain(resource.iter().map(String::as_str)));
    Ok(NormalPath { version, path })
}

fn decode(segment: &str) -> Result<Cow<'_, str>, NotText> {
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| NotText)?;
    if text.chars().any(char::is_control) { Err(NotText) } else { Ok(text) }
}

fn canonical<'a>(segments: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut canonical: Vec<String> = Vec::new();
    for segment in segments {
        let previous = canonical.last().map(String::as_str);
        if let Some(collection) = previous.filter(|previous| is_collection(previous)) {
            let id = action_of_all(collection, segment)
                .map_or_else(|| plain_id(collection, segment), str::to_owned);
            canonical.push(id);
            continue;
        }
        let is_first = previous.is_none();
        match split_key(segment).map(|(name, key)| (plain_name(name, is_first), key)) {
            Some((name, key)) if is_collection(&name) => {
                let id = plain_id(&name, &key.replace("''", "'"));
                canonical.extend([name, id]);
            }
            Some(_) | None => canonical.push(plain_name(segment, is_first)),
        }
    }
    canonical
}

/// What follows one of these is an id.
fn is_collection(name: &str) -> bool {
    matches!(
        name,
        "audioRoutingGroups"
            | "calls"
            | "onlineMeetings"
            | "operations"
            | "participants"
            | "recordings"
            | "users"
    )
}

/// Splits `calls('id')` into name and key (OData URL conventions, 4.3.1).
fn split_key(segment: &str) -> Option<(&str, &str)> {
    let (name, key) = segment.strip_suffix(')')?.split_once('(')?;
    let unquoted = key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')).unwrap_or(key);
    (!unquoted.is_empty()).then_some((name, unquoted))
}

fn action_of_all(collection: &str, segment: &str) -> Option<&'static str> {
    let short = short_name(segment);
    let is_meant = |(of, action): &&(&str, &str)| *of == collection && action.eq_ignore_ascii_case(short);
    ACTIONS_OF_ALL.iter().find(is_meant).map(|(_, action)| *action)
}

/// A name without the namespace that it may be qualified with.
fn short_name(name: &str) -> &str {
    match name.get(..NAMESPACE.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(NAMESPACE) => name.get(NAMESPACE.len()..).unwrap_or(name),
        _ => name,
    }
}

fn plain_name(name: &str, is_first: bool) -> String {
    let short = short_name(name);
    if is_first && short.eq_ignore_ascii_case("app") {
        return "communications".to_owned();
    }
    let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(short));
    known.map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

/// An id in lower case with dashes, where it is a GUID. What a directory names is spelled as there.
fn plain_id(collection: &str, id: &str) -> String {
    if matches!(collection, "onlineMeetings" | "users") {
        return id.to_owned();
    }
    CallId::parse(id).map_or_else(|| id.to_owned(), |guid| guid.to_string())
}

fn join<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        // Writing into a string does not fail.
        let _ = write!(path, "{}", utf8_percent_encode(segment, ENCODED));
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NotText, Version, normalise};

    const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

    fn path(text: &str) -> String {
        normalise(text).unwrap().path
    }

    #[test]
    fn every_spelling_of_a_call_is_one_path() {
        let expected = format!("/v1.0/communications/calls/{ID}/playPrompt");
        for spelling in [
            format!("/v1.0/communications/calls/{ID}/playPrompt"),
            format!("/v1.0/communications/calls/{ID}/playPrompt/"),
            format!("/v1.0/app/calls/{ID}/playPrompt"),
            format!("/V1.0/App/Calls/{}/PLAYPROMPT", ID.to_uppercase()),
            "/beta/communications/calls/57DAB8B1894C409AB240BD8BEAE78896/playPrompt".to_owned(),
            format!("/v1.0/communications/calls/{ID}/microsoft.graph.playPrompt"),
            format!("/v1.0/communications/calls('{ID}')/Microsoft.Graph.playPrompt"),
            format!("/v1.0/communications/calls({ID})/playPrompt"),
            format!("/v1.0/communications/calls%28%27{ID}%27%29/playPrompt"),
            format!("/v1%2E0/communications/%63alls/{ID}/play%50rompt"),
        ] {
            assert_eq!(path(&spelling), expected, "{spelling}");
        }
    }

    #[test]
    fn actions_of_all_participants_stand_where_an_id_could() {
        let call = format!("/v1.0/communications/calls/{ID}");
        for spelling in ["participants/invite", "Participants/INVITE/", "participants/microsoft.graph.invite"]
        {
            assert_eq!(
                path(&format!("{call}/{spelling}")),
                format!("{call}/participants/invite"),
                "{spelling}"
            );
        }
        let john = ID.to_uppercase();
        for spelling in [
            format!("participants/{john}/microsoft.graph.startHoldMusic"),
            format!("participants('{john}')/STARTHOLDMUSIC"),
        ] {
            let expected = format!("{call}/participants/{ID}/startHoldMusic");
            assert_eq!(path(&format!("{call}/{spelling}")), expected, "{spelling}");
        }
        // Of operations nothing is called so.
        assert_eq!(path(&format!("{call}/operations/INVITE")), format!("{call}/operations/INVITE"));
    }

    #[test]
    fn the_id_that_a_client_chose_for_a_group_is_kept() {
        let groups = format!("/v1.0/communications/calls/{ID}/audioRoutingGroups");
        for (spelling, id) in [
            ("audioRoutingGroups/oneToOne", "oneToOne"),
            ("audioroutinggroups('one%20to%20one')", "one%20to%20one"),
            ("audioRoutingGroups('it''s')", "it%27s"),
            ("audioRoutingGroups/a%2Fb", "a%2Fb"),
            ("audioRoutingGroups/participants", "participants"),
            ("audioRoutingGroups/invite", "invite"),
        ] {
            let asked = format!("/beta/app/calls/{ID}/{spelling}");
            assert_eq!(path(&asked), format!("{groups}/{id}"), "{spelling}");
        }
    }

    #[test]
    fn every_spelling_of_a_meeting_is_one_path_that_keeps_its_ids() {
        let expected = "/v1.0/users/5810CEDE-f3cc-42eb-b2c1-e9bd5d53ec96/onlineMeetings/MSpk_Yz";
        for spelling in [
            "/v1.0/users/5810CEDE-f3cc-42eb-b2c1-e9bd5d53ec96/onlineMeetings/MSpk_Yz",
            "/beta/Users/5810CEDE-f3cc-42eb-b2c1-e9bd5d53ec96/onlinemeetings/MSpk_Yz/",
            "/v1.0/users('5810CEDE-f3cc-42eb-b2c1-e9bd5d53ec96')/onlineMeetings('MSpk_Yz')",
        ] {
            assert_eq!(path(spelling), expected, "{spelling}");
        }
        assert_eq!(path("/v1.0/app/onlineMeetings/"), "/v1.0/communications/onlineMeetings");
        assert_eq!(
            path("/v1.0/me/onlineMeetings/Microsoft.Graph.CreateOrGet"),
            "/v1.0/me/onlineMeetings/createOrGet"
        );
    }

    #[test]
    fn the_version_is_remembered() {
        assert_eq!(normalise("/beta/communications/calls").unwrap().version, Some(Version::Beta));
        assert_eq!(normalise("/v1.0/communications/calls").unwrap().version, Some(Version::V1));
        assert_eq!(normalise("/common/oauth2/v2.0/token").unwrap().version, None);
    }

    #[test]
    fn an_empty_id_stays_empty() {
        assert_eq!(path("/v1.0/communications/calls//playPrompt"), "/v1.0/communications/calls//playPrompt");
        assert_eq!(path("/v1.0/communications/calls('')/x"), "/v1.0/communications/calls%28%27%27%29/x");
    }

    #[test]
    fn other_paths_keep_their_case_and_lose_only_the_last_slash() {
        assert_eq!(path("/Contoso/oauth2/v2.0/token/"), "/Contoso/oauth2/v2.0/token");
        assert_eq!(path("/"), "/");
    }

    #[test]
    fn an_encoded_slash_does_not_make_a_segment() {
        assert_eq!(path("/v1.0/communications%2Fcalls"), "/v1.0/communications%2Fcalls");
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for path in ["/v1.0/%ff", "/v1.0/%00", "/v1.0/a%0d%0ab"] {
            assert_eq!(normalise(path), Err(NotText), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_taken_and_its_normal_form_stays(
            text in "(/(v1\\.0|beta|app|calls|calls\\('[a-f0-9-]*'\\)|microsoft\\.graph\\.answer|[ -~]{0,12})){0,6}",
        ) {
            if let Ok(once) = normalise(&text) {
                let twice = normalise(&once.path).unwrap();
                prop_assert_eq!(&twice.path, &once.path);
                prop_assert!(once.path.starts_with('/'));
                prop_assert!(once.path.parse::<http::Uri>().is_ok());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(text in ".{0,60}") {
            let _ = normalise(&text);
        }
    }
}
