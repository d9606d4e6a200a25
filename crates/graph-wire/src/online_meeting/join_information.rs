//! How to join, in words for people (`joinInformation`).

use model::OnlineMeeting;

use super::join_url::encode;

/// A language that invitations are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language(&'static Words);

#[derive(Debug, PartialEq, Eq)]
struct Words {
    /// The tag, with the region that stands for all (RFC 5646).
    tag: &'static str,
    join: &'static str,
    id: &'static str,
    passcode: &'static str,
}

const LANGUAGES: &[Words] = &[
    Words { tag: "en-US", join: "Join the meeting", id: "Meeting ID", passcode: "Passcode" },
    Words {
        tag: "de-DE",
        join: "An der Besprechung teilnehmen",
        id: "Besprechungs-ID",
        passcode: "Kenncode",
    },
    Words {
        tag: "es-ES", join: "Unirse a la reunión", id: "ID de la reunión", passcode: "Código de acceso"
    },
    Words { tag: "fr-FR", join: "Participer à la réunion", id: "ID de réunion", passcode: "Code secret" },
    Words { tag: "it-IT", join: "Partecipa alla riunione", id: "ID riunione", passcode: "Codice di accesso" },
    Words { tag: "ja-JP", join: "会議に参加する", id: "会議 ID", passcode: "パスコード" },
    Words {
        tag: "nl-NL",
        join: "Deelnemen aan de vergadering",
        id: "Vergadering-id",
        passcode: "Wachtwoordcode",
    },
    Words { tag: "pt-BR", join: "Ingressar na reunião", id: "ID da reunião", passcode: "Senha" },
    Words { tag: "zh-CN", join: "加入会议", id: "会议 ID", passcode: "密码" },
];

/// Ranges of a header that are looked at; browsers send some five.
const MAX_RANGES: usize = 16;

impl Language {
    /// The language that `Accept-Language` likes best of those known here; English where none is (RFC 9110, 12.5.4).
    ///
    /// A range stands for its whole language: whoever asks for `de-AT` gets German.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0, LANGUAGES.first());
        for range in header.split(',').take(MAX_RANGES) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let words = LANGUAGES.iter().find(|words| is_same_language(words.tag, tag));
            if let (Some(weight), Some(words)) = (weight, words)
                && weight > best.0
            {
                best = (weight, Some(words));
            }
        }
        Self(best.1.unwrap_or(&LANGUAGES[0]))
    }
}

impl Default for Language {
    /// English.
    fn default() -> Self {
        Self::accepted("")
    }
}

fn is_same_language(known: &str, range: &str) -> bool {
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    primary(known) == primary(range)
}

/// The invitation as a `data:` URL that holds HTML, which is how clients get it.
pub(super) fn join_information(meeting: &OnlineMeeting, join_web_url: &str, language: Language) -> String {
    let Words { tag, join, id, passcode } = language.0;
    let mut html = format!(
        "<meta charset=\"utf-8\"><div lang=\"{tag}\"><p><a href=\"{}\">{join}</a></p><p>{id}: {}</p>",
        escape(join_web_url),
        escape(&meeting.join_meeting_id)
    );
    if let Some(own) = &meeting.passcode {
        html.push_str(&format!("<p>{passcode}: {}</p>", escape(own)));
    }
    html.push_str("</div>");
    format!("data:text/html,{}", encode(&html))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
