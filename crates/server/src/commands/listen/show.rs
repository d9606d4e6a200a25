//! How deliveries look to people: a line a state.

use model::{Timestamp, Tone};
use serde_json::Value;

use super::token::{Claims, Refused};

/// Lines of one delivery. A server sends a few notifications in one; anybody may send more.
const MAX_LINES: usize = 50;

/// Characters of one value that are shown, so that a line stays one.
const MAX_VALUE_CHARS: usize = 160;

/// Characters of an id that are shown: enough to tell calls apart.
const SHORT_ID_CHARS: usize = 8;

/// The width of what most notifications say, so that what follows it stands in a column.
const WHAT_CHARS: usize = 40;

/// Something received.
#[derive(Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) at: Timestamp,
    /// Which attempt it is, as the sender says.
    pub(super) attempt: Option<u32>,
    pub(super) token: Result<&'a Claims, &'a Refused>,
    /// The body; `None` where it is something else than notifications.
    pub(super) notifications: Option<&'a Value>,
}

/// Whether lines are coloured.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) is_coloured: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Bold,
    Cyan,
    Dim,
    Green,
    Magenta,
    Red,
    Yellow,
}

/// What a notification says, and how it feels.
struct What {
    text: String,
    colour: Colour,
}

/// Whether a body is one of notifications.
pub(super) fn is_notifications(body: &Value) -> bool {
    body["value"].as_array().is_some_and(|items| !items.is_empty())
}

impl Delivery<'_> {
    /// A line for each notification.
    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        let items = self.notifications.and_then(|body| body["value"].as_array());
        let Some(items) = items else {
            let what = What { text: "the body holds no notifications".to_owned(), colour: Colour::Red };
            return vec![self.line(style, "", what)];
        };
        let mut lines: Vec<_> = items
            .iter()
            .take(MAX_LINES)
            .map(|item| self.line(style, call_id(text(item, "resourceUrl")), what(item)))
            .collect();
        if let Some(more) = items.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
            let what = What { text: format!("… and {more} more"), colour: Colour::Dim };
            lines.push(self.line(style, "", what));
        }
        lines
    }

    fn line(&self, style: Style, call: &str, what: What) -> String {
        let call: String = clean(call).chars().take(SHORT_ID_CHARS).collect();
        let call = if call.is_empty() { "-" } else { &call };
        let again = match self.attempt {
            Some(attempt) if attempt > 1 => format!(", attempt {attempt}"),
            Some(_) | None => String::new(),
        };
        let (time, id) = (clock_time(self.at), format!("{call:<SHORT_ID_CHARS$}"));
        match self.token {
            Ok(claims) => {
                let app: String = clean(&claims.app).chars().take(SHORT_ID_CHARS).collect();
                format!(
                    "{}  {}  {}  {}",
                    style.paint(Colour::Dim, &time),
                    style.paint(Colour::Bold, &id),
                    style.paint(what.colour, &format!("{:<WHAT_CHARS$}", what.text)),
                    style.paint(Colour::Dim, &format!("verified, app {app}{again}")),
                )
            }
            Err(refused) => {
                let reason = clean(&refused.to_string());
                let line = format!("{time}  {id}  {}  NOT VERIFIED: {reason}{again}", what.text);
                style.paint(Colour::Red, &line)
            }
        }
    }
}

impl Style {
    fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Bold => "1",
            Colour::Cyan => "36",
            Colour::Dim => "2",
            Colour::Green => "32",
            Colour::Magenta => "35",
            Colour::Red => "31",
            Colour::Yellow => "33",
        };
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn what(notification: &Value) -> What {
    let resource = &notification["resourceData"];
    let kind = text(resource, "@odata.type").trim_start_matches("#microsoft.graph.");
    if let Some(operation) = kind.strip_suffix("Operation") {
        return operation_line(operation, resource);
    }
    if kind == "call" {
        return call_line(text(notification, "changeType"), resource);
    }
    if let Some(line) = sharing_line(text(notification, "changeType"), resource) {
        return line;
    }
    if let Some(line) = roster_line(kind, resource) {
        return line;
    }
    let place = text(notification, "resourceUrl");
    let count = resource.as_array().map(|items| format!(" ({})", items.len())).unwrap_or_default();
    let text = format!("{} {}{count}", clean(text(notification, "changeType")), clean(place));
    What { text, colour: Colour::Cyan }
}

/// `screen shared`, `shared screen changed` (its first picture, or somebody else's), `screen no longer shared`.
fn sharing_line(change: &str, resource: &Value) -> Option<What> {
    let session = resource.as_array()?.first()?;
    if text(session, "@odata.type") != "#microsoft.graph.contentSharingSession" {
        return None;
    }
    let text = match change {
        "created" => "screen shared",
        "deleted" => "screen no longer shared",
        _ => "shared screen changed",
    };
    Some(What { text: text.to_owned(), colour: Colour::Cyan })
}

/// `participants John (muted), Calling Bot`, or of a delta whoever changed: `participants changed: Bob (gone)`.
fn roster_line(kind: &str, resource: &Value) -> Option<What> {
    let (list, lead) = match kind {
        "deltaParticipants" => (&resource["participants"], "participants changed:"),
        _ => (resource, "participants"),
    };
    let participants = list.as_array()?;
    let is_roster = |participant: &Value| text(participant, "@odata.type") == "#microsoft.graph.participant";
    if !participants.iter().all(is_roster) {
        return None;
    }
    let mut names: Vec<String> = participants.iter().take(MAX_NAMES).map(participant_words).collect();
    if let Some(more) = participants.len().checked_sub(MAX_NAMES).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Some(What { text: format!("{lead} {names}"), colour: Colour::Cyan })
}

/// Participants of a roster that are named: as many as fit into two lines.
const MAX_NAMES: usize = 12;

/// The name of a participant, and what sets it apart.
fn participant_words(participant: &Value) -> String {
    let kinds = participant["info"]["identity"].as_object().into_iter().flat_map(|kinds| kinds.values());
    let named = |member: &'static str| {
        move |identity: &Value| Some(text(identity, member)).filter(|name| !name.is_empty()).map(clean)
    };
    let name = kinds.clone().find_map(named("displayName")).or_else(|| kinds.clone().find_map(named("id")));
    let name: String =
        name.unwrap_or_else(|| clean(text(participant, "id"))).chars().take(MAX_NAME_CHARS).collect();
    let is = |flag: &str| participant[flag] == true;
    let marks = [
        (participant["removedState"].is_object(), " (gone)"),
        (is("isInLobby"), " (in the lobby)"),
        (is("isMuted"), " (muted)"),
    ];
    let mark = marks.into_iter().find(|(applies, _)| *applies).map_or("", |(_, words)| words);
    format!("{name}{mark}")
}

/// Characters of a participant's name that are shown.
const MAX_NAME_CHARS: usize = 24;

fn operation_line(name: &str, operation: &Value) -> What {
    let status = text(operation, "status");
    let mut words = vec![clean(name), clean(status)];
    words.extend(result(operation));
    words.extend(["completionReason", "recordingLocation"].map(|name| clean(text(operation, name))));
    let context = clean(text(operation, "clientContext"));
    if !context.is_empty() {
        words.push(format!("[{context}]"));
    }
    words.retain(|word| !word.is_empty());
    let colour = if status == "failed" { Colour::Red } else { Colour::Magenta };
    What { text: words.join(" "), colour }
}

fn call_line(change: &str, call: &Value) -> What {
    let state = text(call, "state");
    if call["toneInfo"].is_object() {
        let tone = &call["toneInfo"];
        return What { text: format!("tone {}", key(text(tone, "tone"))), colour: Colour::Cyan };
    }
    let mut line = clean(if state.is_empty() { change } else { state });
    let audio = clean(text(&call["mediaState"], "audio"));
    if state == "established" && !audio.is_empty() {
        line.push_str(&format!(", audio {audio}"));
    }
    if let Some(result) = result(call) {
        line.push_str(&format!(" {result}"));
    }
    let is_failure = call["resultInfo"]["code"].as_i64().is_some_and(|code| code >= 300);
    let colour = match state {
        _ if is_failure => Colour::Red,
        "established" => Colour::Green,
        "terminated" => Colour::Bold,
        _ => Colour::Yellow,
    };
    What { text: line, colour }
}

/// `200/7000 The call was ended by the application.`; the words only where they say more than success.
fn result(resource: &Value) -> Option<String> {
    let info = &resource["resultInfo"];
    let (code, subcode) = (info["code"].as_i64()?, info["subcode"].as_i64()?);
    let message = clean(text(info, "message"));
    let is_plain = message.is_empty() || (code, subcode) == (200, 0);
    Some(if is_plain { format!("{code}/{subcode}") } else { format!("{code}/{subcode} {message}") })
}

/// The key as it is on a phone.
fn key(name: &str) -> String {
    match name.parse::<Tone>() {
        Ok(Tone::Flash) | Err(_) => clean(name),
        Ok(tone) => tone.key().to_string(),
    }
}

/// The id behind `calls/` in a resource's path.
fn call_id(resource_url: &str) -> &str {
    let mut segments = resource_url.split('/');
    segments.find(|segment| *segment == "calls").and_then(|_| segments.next()).unwrap_or_default()
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// What a terminal may be given of a stranger's words: no control characters, none that turn the direction, not too long.
fn clean(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut cleaned: String =
        text.chars().take(MAX_VALUE_CHARS).map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_VALUE_CHARS).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// `17:48:36.120`, UTC.
fn clock_time(at: Timestamp) -> String {
    let (hour, minute, second, milli) = at.to_utc().time().as_hms_milli();
    format!("{hour:02}:{minute:02}:{second:02}.{milli:03}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        AppId, Call, CallDirection, CallId, CallKind, CallState, ChainId, ChangeType,
        ContentSharingSessionId, Identity, IdentitySet, MediaConfig, MediaState, Notification,
        NotificationBody, NotificationId, Operation, OperationId, OperationKind, OperationStatus, Outcome,
        Participant, ParticipantId, Roster, RosterParticipant, ScenarioId, SendDtmfCompletion, TenantId,
        Timestamp, Tone, ToneInfo,
    };
    use serde_json::{Value, json};

    use super::{Claims, Delivery, MAX_LINES, Refused, Style, is_notifications};

    const ID: &str = "5f3c1b2a-0000-4000-8000-000000000001";
    const PLAIN: Style = Style { is_coloured: false };

    fn call(state: CallState) -> Call {
        Call {
            id: CallId::parse(ID).unwrap(),
            app: AppId::from("2891555a-92ff-42e6-80fa-6e1300c6b5c6"),
            tenant: TenantId::from("t"),
            is_tenant_shown: false,
            created_at: Timestamp::default(),
            callback_uri: "http://127.0.0.1:9000/callback".to_owned(),
            chain: ChainId::parse(ID).unwrap(),
            scenario: ScenarioId::from("s"),
            direction: CallDirection::Outgoing,
            state,
            media_state: None,
            my_participant: ParticipantId::parse(ID).unwrap(),
            source: Participant::default(),
            targets: Vec::new(),
            incoming: None,
            kind: CallKind::Meeting,
            chat: None,
            meeting: None,
            subject: None,
            requested_modalities: Vec::new(),
            media_config: MediaConfig::ServiceHosted {
                pre_fetch_media: Vec::new(),
                remove_from_default_audio_group: None,
            },
            call_options: None,
            tone: None,
            answered_by: None,
            content_sharing: None,
            outcome: None,
            notified: 0,
        }
    }

    fn established() -> Call {
        Call { media_state: Some(MediaState::Active), ..call(CallState::Established) }
    }

    fn terminated(outcome: Outcome) -> Value {
        of_call(ChangeType::Deleted, Call { outcome: Some(outcome), ..call(CallState::Terminated) })
    }

    /// The body as the server posts it.
    fn posted(change: ChangeType, body: NotificationBody) -> Value {
        let call = call(CallState::Established);
        graph_wire::notifications([&Notification {
            id: NotificationId::parse(ID).unwrap(),
            sequence: 1,
            call: call.id,
            app: call.app,
            tenant: call.tenant,
            scenario: call.scenario,
            callback_uri: call.callback_uri,
            created_at: Timestamp::default(),
            change,
            body,
        }])
    }

    fn of_call(change: ChangeType, call: Call) -> Value {
        posted(change, NotificationBody::Call(Arc::new(call)))
    }

    fn of_operation(kind: OperationKind, outcome: Outcome) -> Value {
        let status = match outcome.result_info().code {
            200 => OperationStatus::Completed,
            _ => OperationStatus::Failed,
        };
        let operation = Operation {
            id: OperationId::parse(ID).unwrap(),
            kind,
            status,
            client_context: Some("step-1".to_owned()),
            outcome: Some(outcome),
        };
        posted(ChangeType::Deleted, NotificationBody::Operation(Box::new(operation)))
    }

    fn shown(body: &Value, token: Result<&Claims, &Refused>, style: Style) -> Vec<String> {
        let at = Timestamp::from_millis(1_581_615_024_789);
        Delivery {
            at,
            attempt: Some(1),
            token,
            notifications: Some(body).filter(|body| is_notifications(body)),
        }
        .lines(style)
    }

    fn claims() -> Claims {
        Claims { app: "2891555a-92ff-42e6-80fa-6e1300c6b5c6".to_owned() }
    }

    /// What a verified notification says, without time, call and token.
    fn said(body: &Value) -> String {
        let lines = shown(body, Ok(&claims()), PLAIN);
        assert_eq!(lines.len(), 1);
        let line = lines[0].strip_prefix("17:30:24.789  5f3c1b2a  ").unwrap();
        line.strip_suffix("  verified, app 2891555a").unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_line_has_time_call_state_and_what_the_token_says() {
        assert_eq!(
            shown(&of_call(ChangeType::Updated, established()), Ok(&claims()), PLAIN),
            ["17:30:24.789  5f3c1b2a  established, audio active                 verified, app 2891555a"]
        );
    }

    #[test]
    fn each_state_of_a_call_has_its_words() {
        let tone = |tone| Call { tone: Some(ToneInfo { sequence_id: 1, tone }), ..established() };
        let cases = [
            (of_call(ChangeType::Updated, call(CallState::Establishing)), "establishing"),
            (of_call(ChangeType::Updated, tone(Tone::Digit(1))), "tone 1"),
            (of_call(ChangeType::Updated, tone(Tone::Pound)), "tone #"),
            (of_call(ChangeType::Updated, tone(Tone::Flash)), "tone flash"),
            (of_call(ChangeType::Updated, call(CallState::Terminating)), "terminating"),
            (terminated(Outcome::EndedByPeer), "terminated 200/4521 The call was ended by the other party."),
            (terminated(Outcome::CalleeBusy), "terminated 486/8539 The callee is busy."),
        ];
        for (body, words) in cases {
            assert_eq!(said(&body), words);
        }
    }

    #[test]
    fn operations_say_how_they_ended_and_what_the_bot_called_them() {
        let prompt = || OperationKind::PlayPrompt { prompts: Vec::new() };
        let tones = OperationKind::SendDtmfTones {
            tones: Vec::new(),
            delay_between_tones_ms: 100,
            completion: Some(SendDtmfCompletion::CompletedSuccessfully),
        };
        let cases = [
            (of_operation(prompt(), Outcome::ActionCompleted), "playPrompt completed 200/0 [step-1]"),
            (
                of_operation(prompt(), Outcome::OperationCancelled),
                "playPrompt failed 400/8508 Action was cancelled. [step-1]",
            ),
            (
                of_operation(tones, Outcome::ActionCompleted),
                "sendDtmfTones completed 200/0 completedSuccessfully [step-1]",
            ),
        ];
        for (body, words) in cases {
            assert_eq!(said(&body), words);
        }
    }

    #[test]
    fn a_shared_screen_is_told_in_words() {
        let session = ContentSharingSessionId::parse(ID).unwrap();
        let cases = [
            (ChangeType::Created, "screen shared"),
            (ChangeType::Updated, "shared screen changed"),
            (ChangeType::Deleted, "screen no longer shared"),
        ];
        for (change, words) in cases {
            assert_eq!(said(&posted(change, NotificationBody::ContentSharing(session))), words);
        }
    }

    fn in_roster(name: &str) -> RosterParticipant {
        let identity = IdentitySet::user(Identity::of("112f7296-5fa4-42ca-bae8-6a692b15d4b8").named(name));
        RosterParticipant {
            id: ParticipantId::parse(ID).unwrap(),
            info: Participant { identity, ..Participant::default() },
            is_muted: false,
            is_in_lobby: false,
            role: None,
            media_streams: Vec::new(),
            recording: None,
            metadata: None,
            sequence: 1,
            removed: None,
        }
    }

    fn of_roster(participants: Vec<RosterParticipant>, is_delta: bool) -> Value {
        let roster = Roster { sequence: 1, is_delta, participants };
        posted(ChangeType::Updated, NotificationBody::Roster(Box::new(roster)))
    }

    #[test]
    fn a_roster_names_who_is_there_and_what_sets_them_apart() {
        let muted = RosterParticipant { is_muted: true, ..in_roster("John") };
        let waiting = RosterParticipant { is_in_lobby: true, is_muted: true, ..in_roster("Ann") };
        let there = vec![muted, waiting, in_roster("Calling Bot")];
        assert_eq!(
            said(&of_roster(there, false)),
            "participants John (muted), Ann (in the lobby), Calling Bot"
        );
        let gone = RosterParticipant { removed: Some("Removed".to_owned()), ..in_roster("Bob") };
        assert_eq!(said(&of_roster(vec![gone], true)), "participants changed: Bob (gone)");
        assert_eq!(said(&of_roster(Vec::new(), true)), "participants changed: none");
        assert!(said(&of_roster(vec![in_roster("John"); 20], false)).ends_with("John, 8 more"));
    }

    #[test]
    fn a_participant_without_a_name_is_shown_by_its_id() {
        let mut nameless = in_roster("");
        nameless.info.identity = IdentitySet::user(Identity::of("john"));
        assert_eq!(said(&of_roster(vec![nameless], false)), "participants john");
    }

    #[test]
    fn colours_are_there_only_where_they_are_wanted() {
        let body = of_call(ChangeType::Updated, established());
        let coloured = shown(&body, Ok(&claims()), Style { is_coloured: true });
        assert!(coloured[0].contains("\x1b[32mestablished, audio active"), "{coloured:?}");
        assert!(!shown(&body, Ok(&claims()), PLAIN)[0].contains('\x1b'));
    }

    #[test]
    fn what_is_not_verified_is_red_and_says_why() {
        let body = of_call(ChangeType::Updated, established());
        let lines = shown(&body, Err(&Refused::Missing), Style { is_coloured: true });
        assert_eq!(
            lines,
            [
                "\x1b[31m17:30:24.789  5f3c1b2a  established, audio active  NOT VERIFIED: it carries no bearer token\x1b[0m"
            ]
        );
    }

    #[test]
    fn a_repeated_attempt_is_counted() {
        let body = of_call(ChangeType::Updated, established());
        let claims = claims();
        let delivery = Delivery {
            at: Timestamp::default(),
            attempt: Some(3),
            token: Ok(&claims),
            notifications: Some(&body),
        };
        assert!(delivery.lines(PLAIN)[0].ends_with("verified, app 2891555a, attempt 3"));
    }

    #[test]
    fn a_strangers_body_cannot_write_on_the_terminal_nor_flood_it() {
        let item = json!({
            "changeType": "updated\x1b[2J\u{202e}", "resourceUrl": format!("/communications/calls/\x07{}", "x".repeat(9_000)),
        });
        let body = json!({"value": vec![item; 200]});
        let lines = shown(&body, Err(&Refused::Missing), PLAIN);
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert!(lines[MAX_LINES].contains("… and 150 more"));
        for line in lines {
            assert!(
                line.chars().count() < 500 && !line.contains(|c: char| c.is_control() || c == '\u{202e}')
            );
        }
    }

    #[test]
    fn other_resources_and_other_bodies_are_shown_as_what_they_are() {
        let roster = json!({"value": [{
            "changeType": "updated",
            "resourceUrl": "/communications/calls/5f3c1b2a-0000/participants",
            "resourceData": [{}, {}],
        }]});
        assert_eq!(said(&roster), "updated /communications/calls/5f3c1b2a-0000/participants (2)");
        for body in [json!({}), json!([]), json!({"value": []}), json!({"value": {}})] {
            assert_eq!(
                shown(&body, Ok(&claims()), PLAIN),
                ["17:30:24.789  -         the body holds no notifications           verified, app 2891555a"]
            );
        }
    }
}
