//! `mediaInfo`, `mediaPrompt`, `mediaConfig`, `modality`, `tone`, `toneInfo`, `callMediaState`.

use model::{MediaInfo, MediaPrompt, MediaState, Modality, Tone, ToneInfo};
use serde_json::Value;
use url::Url;

use crate::invalid_request::Path;
use crate::limits::MAX_URL_BYTES;
use crate::wire::{
    Body, Defined, Definition, Fields, Member, Nulls, Shape, Wire, is_type, one_of, wire_enum, wire_object,
};
use crate::{InvalidRequest, Limits};

wire_object! {
    MediaInfo as "mediaInfo" {
        uri: "uri" required,
        resource_id: "resourceId" nullable,
    }
}

wire_object! {
    MediaPrompt as "mediaPrompt": "prompt" {
        media: "mediaInfo" required,
    }
}

wire_object! {
    ToneInfo as "toneInfo" {
        sequence_id: "sequenceId" required,
        tone: "tone" required,
    }
}

wire_enum! {
    Modality as "modality" {
        Modality::Audio = "audio",
        Modality::Video = "video",
        Modality::VideoBasedScreenSharing = "videoBasedScreenSharing",
        Modality::Data = "data",
    }
}

wire_enum! {
    MediaState as "mediaState" {
        MediaState::Active = "active",
        MediaState::Inactive = "inactive",
    }
}

/// `callMediaState` with its one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallMediaState {
    pub(crate) audio: MediaState,
}

wire_object! {
    CallMediaState as "callMediaState" {
        audio: "audio" required,
    }
}

impl Wire for Tone {
    fn shape() -> Shape {
        Shape::Named("tone")
    }

    /// Takes the documented name, or the `toneInfo` object that a page asks for in its place.
    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let name = if value.is_object() { value.get("tone").unwrap_or(value) } else { value };
        name.as_str().and_then(|name| name.parse().ok()).ok_or_else(|| at.expected(one_of(&tone_names())))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(self.name())
    }
}

impl Defined for Tone {
    fn definition() -> Definition {
        Definition::Enumeration { name: "tone", members: tone_names() }
    }
}

fn tone_names() -> Vec<&'static str> {
    "0123456789*#ABCD!".chars().filter_map(|key| Tone::from_key(key).ok()).map(Tone::name).collect()
}

/// Who hosts the media, as a request says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaConfig {
    /// The application does (`appHostedMediaConfig`).
    AppHosted {
        /// What the application's media stack says; absent in some documented requests.
        blob: Option<String>,
        /// To be echoed.
        remove_from_default_audio_group: Option<bool>,
    },
    /// The server does (`serviceHostedMediaConfig`).
    ServiceHosted {
        /// Prompts to fetch ahead of time.
        pre_fetch_media: Vec<MediaInfo>,
        /// To be echoed.
        remove_from_default_audio_group: Option<bool>,
    },
}

impl MediaConfig {
    /// Reads a media configuration; its members imply the type where it does not say one.
    pub(crate) fn read(value: &Value, at: &Path<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let fields = Fields::any(value, at)?;
        let remove_from_default_audio_group = fields.removed_from_audio("removeFromDefaultAudioGroup")?;
        let is_service_hosted = match fields.declared_type()? {
            Some(declared) if is_type(declared, SERVICE_HOSTED) => true,
            Some(declared) if is_type(declared, APP_HOSTED) => false,
            None if fields.value("blob").is_some() => false,
            None if fields.value("preFetchMedia").is_some() => true,
            Some(_) | None => {
                let types =
                    "#microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig";
                return Err(fields.expected("@odata.type", types));
            }
        };
        if !is_service_hosted {
            return Ok(Self::AppHosted { blob: fields.optional("blob")?, remove_from_default_audio_group });
        }
        let pre_fetch_media: Vec<MediaInfo> = fields.list("preFetchMedia", limits.pre_fetch_media)?;
        let list = Path::Member(at, "preFetchMedia");
        for (index, media) in pre_fetch_media.iter().enumerate() {
            check_url(&media.uri, &Path::Member(&Path::Item(&list, index), "uri"), limits)?;
        }
        Ok(Self::ServiceHosted { pre_fetch_media, remove_from_default_audio_group })
    }
}

impl From<MediaConfig> for model::MediaConfig {
    fn from(config: MediaConfig) -> Self {
        match config {
            MediaConfig::AppHosted { blob, remove_from_default_audio_group } => {
                Self::AppHosted { blob, remove_from_default_audio_group }
            }
            MediaConfig::ServiceHosted { pre_fetch_media, remove_from_default_audio_group } => {
                Self::ServiceHosted { pre_fetch_media, remove_from_default_audio_group }
            }
        }
    }
}

const APP_HOSTED: &str = "appHostedMediaConfig";
const SERVICE_HOSTED: &str = "serviceHostedMediaConfig";

impl Wire for model::MediaConfig {
    fn shape() -> Shape {
        Shape::Named("mediaConfig")
    }

    fn read(_: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        Err(at.expected("nothing: requests are read with their limits"))
    }

    fn write(&self, nulls: Nulls) -> Value {
        let (mut body, removed) = match self {
            Self::AppHosted { blob, remove_from_default_audio_group } => {
                let mut body = Body::of(APP_HOSTED, nulls);
                body.optional("blob", blob);
                (body, remove_from_default_audio_group)
            }
            Self::ServiceHosted { pre_fetch_media, remove_from_default_audio_group } => {
                let mut body = Body::of(SERVICE_HOSTED, nulls);
                if !pre_fetch_media.is_empty() {
                    body.required("preFetchMedia", pre_fetch_media);
                }
                (body, remove_from_default_audio_group)
            }
        };
        body.optional("removeFromDefaultAudioGroup", removed);
        body.into()
    }
}

/// The definitions of `mediaConfig` and its two subtypes.
pub(crate) fn media_config_definitions() -> Vec<Definition> {
    let remove = || Member::nullable("removeFromDefaultAudioGroup", Shape::Boolean);
    let derived =
        |name, own| Definition::Object { name, base: Some("mediaConfig"), members: vec![own, remove()] };
    vec![
        Definition::Object { name: "mediaConfig", base: None, members: Vec::new() },
        derived(APP_HOSTED, Member::nullable("blob", Shape::Text)),
        derived(SERVICE_HOSTED, Member::new("preFetchMedia", Vec::<MediaInfo>::shape())),
    ]
}

/// Refuses what is not an absolute address that the limits allow. Where it leads is for the one who fetches to judge.
pub(crate) fn check_url(text: &str, at: &Path<'_>, limits: &Limits) -> Result<(), InvalidRequest> {
    if text.len() > MAX_URL_BYTES {
        return Err(at.expected(format!("at most {MAX_URL_BYTES} bytes")));
    }
    // The URL parser drops or turns these, so that what is echoed would not be what is used.
    let is_clean = !text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\');
    let url =
        Url::parse(text).ok().filter(|_| is_clean).ok_or_else(|| at.expected("an absolute https URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(at.expected("a URL without user name and password"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_plain_http_allowed(&url, limits) => Ok(()),
        _ => Err(at.expected("an absolute https URL")),
    }
}

fn is_plain_http_allowed(url: &Url, limits: &Limits) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.strip_suffix('.').unwrap_or(host);
    let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
    limits.plain_http_hosts.iter().any(|allowed| {
        allowed.eq_ignore_ascii_case(host)
            || with_port.as_deref().is_some_and(|with_port| allowed.eq_ignore_ascii_case(with_port))
    })
}

#[cfg(test)]
mod tests {
    use super::check_url;
    use crate::Limits;
    use crate::invalid_request::Path;

    fn is_taken(text: &str, limits: &Limits) -> bool {
        check_url(text, &Path::Root, limits).is_ok()
    }

    #[test]
    fn only_absolute_https_addresses_are_taken() {
        let limits = Limits::default();
        assert!(is_taken("https://bot.contoso.com/callback?x=1", &limits));
        let refused = [
            "http://bot.contoso.com/callback",
            "/callback",
            "bot.contoso.com",
            "file:///etc/passwd",
            "https://",
            "https://user:word@bot.contoso.com/",
            " https://bot.contoso.com/",
            "https://bot.contoso.com/a\nb",
            "https:\\\\bot.contoso.com",
            "",
        ];
        for text in refused {
            assert!(!is_taken(text, &limits), "{text:?} was taken");
        }
        assert!(!is_taken(&format!("https://bot.contoso.com/{}", "a".repeat(2048)), &limits));
    }

    #[test]
    fn plain_http_is_taken_for_hosts_that_the_limits_name() {
        let plain_http_hosts =
            ["127.0.0.1", "LocalHost:9000", "[::1]"].iter().map(|&host| host.to_owned()).collect();
        let limits = Limits { plain_http_hosts, ..Limits::default() };
        assert!(is_taken("http://127.0.0.1:9000/callback", &limits));
        assert!(is_taken("http://LOCALHOST:9000/", &limits));
        assert!(is_taken("http://[::1]/", &limits));
        assert!(!is_taken("http://localhost:9001/", &limits));
        assert!(!is_taken("http://127.0.0.2/", &limits));
    }
}
