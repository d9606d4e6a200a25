//! The meetings of a directory file.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use model::{
    AllowedPresenters, Directory, LobbyBypass, LobbyBypassScope, MeetingId, OnlineMeeting, Permission,
    TenantId, Timestamp,
};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Meetings by tenant and id.
pub(crate) type Meetings = BTreeMap<(TenantId, MeetingId), OnlineMeeting>;

/// A meeting as a directory file has it: one, or the same one in several tenants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MeetingEntry {
    tenants: Vec<String>,
    thread: String,
    organizer: String,
    subject: Option<String>,
    join_meeting_id: String,
    passcode: Option<String>,
    video_teleconference_id: Option<String>,
    /// RFC 3339; a meeting without them is always there.
    starts: Option<String>,
    ends: Option<String>,
    #[serde(default = "organization")]
    lobby_bypass: Scope,
    #[serde(default)]
    dial_in_bypass: bool,
    #[serde(default = "everyone")]
    presenters: Presenters,
    #[serde(default)]
    entry_exit_announced: bool,
    #[serde(default)]
    locked: bool,
    /// What applications may do in this chat only, by application.
    #[serde(default)]
    consents: BTreeMap<String, Vec<String>>,
}

/// Who need not wait in the lobby, in the words of `lobbyBypassScope`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Scope {
    Everyone,
    Invited,
    Organization,
    OrganizationAndFederated,
    OrganizationExcludingGuests,
    Organizer,
}

/// Who presents, in the words of `onlineMeetingPresenters`; who has the role is named in the API.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Presenters {
    Everyone,
    Organization,
    Organizer,
}

const fn organization() -> Scope {
    Scope::Organization
}

const fn everyone() -> Presenters {
    Presenters::Everyone
}

/// Where meetings without times lie: 2026-01-01 and a hundred years later.
const ALWAYS: (i64, i64) = (1_767_225_600_000, 4_922_899_200_000);

/// The id of a meeting that a file makes: the same for the same organizer and thread.
pub(crate) fn id_of(organizer: &str, thread: &str) -> MeetingId {
    api::meeting_id(&organizer.into(), thread)
}

/// Reads the meetings of a file, whose directory is given.
pub(crate) fn read(entries: Vec<MeetingEntry>, directory: &Directory) -> Result<Meetings> {
    let mut meetings = Meetings::new();
    for entry in entries {
        let meeting = meeting(&entry, directory)?;
        for tenant in &entry.tenants {
            let meeting = OnlineMeeting { tenant: tenant.as_str().into(), ..meeting.clone() };
            check(&meeting, directory, &meetings)?;
            meetings.insert((meeting.tenant.clone(), meeting.id.clone()), meeting);
        }
    }
    Ok(meetings)
}

/// What is in a file twice, or names what the file does not have, is refused.
fn check(meeting: &OnlineMeeting, directory: &Directory, before: &Meetings) -> Result<()> {
    let (tenant, thread) = (&meeting.tenant, &meeting.thread_id);
    if !directory.tenants.contains_key(tenant) {
        bail!("the meeting {thread} is of the tenant {tenant}, which is not in the file");
    }
    if let Some(app) = meeting.consents.keys().find(|app| !directory.applications.contains_key(*app)) {
        bail!("the meeting {thread} consents to the application {app}, which is not in the file");
    }
    let mut others = before.values().filter(|other| other.tenant == *tenant);
    let is_same = |other: &&OnlineMeeting| {
        other.thread_id == *thread
            || other.join_meeting_id == meeting.join_meeting_id
            || (other.video_teleconference_id.is_some()
                && other.video_teleconference_id == meeting.video_teleconference_id)
    };
    if let Some(other) = others.find(is_same) {
        bail!(
            "the meetings {thread} and {} of the tenant {tenant} share a thread, a join id or a \
             teleconference id; give each its own",
            other.thread_id
        );
    }
    Ok(())
}

fn meeting(entry: &MeetingEntry, directory: &Directory) -> Result<OnlineMeeting> {
    let thread = &entry.thread;
    if entry.tenants.is_empty() {
        bail!("the meeting {thread} is of no tenant; name one in `tenants`");
    }
    if !entry.join_meeting_id.bytes().all(|byte| byte.is_ascii_digit()) || entry.join_meeting_id.is_empty() {
        bail!("the meeting {thread} has the join id '{}'; it has to be digits", entry.join_meeting_id);
    }
    let moment = |text: &Option<String>, otherwise| match text {
        None => Ok(Timestamp::from_millis(otherwise)),
        Some(text) => {
            let parsed = OffsetDateTime::parse(text, &Rfc3339);
            let parsed = parsed.with_context(|| {
                format!("the meeting {thread} has the time '{text}'; write it as 2026-01-05T09:00:00Z")
            })?;
            anyhow::Ok(Timestamp::from_millis((parsed.unix_timestamp_nanos() / 1_000_000) as i64))
        }
    };
    let (starts_at, ends_at) = (moment(&entry.starts, ALWAYS.0)?, moment(&entry.ends, ALWAYS.1)?);
    if ends_at < starts_at {
        bail!("the meeting {thread} ends before it starts");
    }
    let consents = entry.consents.iter().map(|(app, names)| {
        let permissions = names.iter().map(|name| consent(name, thread));
        Ok((app.as_str().into(), permissions.collect::<Result<_>>()?))
    });
    let organizer = directory.users.get(&entry.organizer.as_str().into());
    Ok(OnlineMeeting {
        id: id_of(&entry.organizer, thread),
        tenant: TenantId::new(""),
        organizer: entry.organizer.as_str().into(),
        organizer_name: organizer.map(|user| user.name.clone()),
        thread_id: thread.clone(),
        external_id: None,
        subject: entry.subject.clone(),
        created_at: starts_at,
        starts_at,
        ends_at,
        attendees: Vec::new(),
        join_meeting_id: entry.join_meeting_id.clone(),
        passcode: entry.passcode.clone(),
        video_teleconference_id: entry.video_teleconference_id.clone(),
        lobby_bypass: LobbyBypass {
            scope: entry.lobby_bypass.into(),
            is_dial_in_bypass_enabled: entry.dial_in_bypass,
        },
        is_admitting_left_to_organizers: false,
        allowed_presenters: entry.presenters.into(),
        is_entry_exit_announced: entry.entry_exit_announced,
        is_locked: entry.locked,
        consents: consents.collect::<Result<_>>()?,
        options: BTreeMap::new(),
        is_from_file: true,
        revision: 0,
    })
}

/// A permission that is granted for one chat.
fn consent(name: &str, thread: &str) -> Result<Permission> {
    if !Permission::OF_CHAT.contains(&name) {
        let known = Permission::OF_CHAT.join(", ");
        bail!("the meeting {thread} consents to '{name}'; a chat consents to {known}");
    }
    Ok(Permission::from(name))
}

impl From<Scope> for LobbyBypassScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Everyone => Self::Everyone,
            Scope::Invited => Self::Invited,
            Scope::Organization => Self::Organization,
            Scope::OrganizationAndFederated => Self::OrganizationAndFederated,
            Scope::OrganizationExcludingGuests => Self::OrganizationExcludingGuests,
            Scope::Organizer => Self::Organizer,
        }
    }
}

impl From<Presenters> for AllowedPresenters {
    fn from(presenters: Presenters) -> Self {
        match presenters {
            Presenters::Everyone => Self::Everyone,
            Presenters::Organization => Self::Organization,
            Presenters::Organizer => Self::Organizer,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Directory, Tenant};

    use super::{MeetingEntry, read};

    fn entries(text: &str) -> Vec<MeetingEntry> {
        #[derive(serde::Deserialize)]
        struct File {
            meetings: Vec<MeetingEntry>,
        }
        toml::from_str::<File>(text).unwrap().meetings
    }

    fn directory() -> Directory {
        let tenant = |id: &str| Tenant {
            id: id.into(),
            name: id.to_owned(),
            grants: Default::default(),
            access_policies: Default::default(),
            dial_in_numbers: Default::default(),
        };
        Directory { tenants: ["t", "u"].map(|id| (id.into(), tenant(id))).into(), ..Directory::default() }
    }

    const MEETING: &str = "[[meetings]]\ntenants = ['t', 'u']\nthread = '19:a'\norganizer = 'bob'\n\
                           join-meeting-id = '1234567'\n";

    #[test]
    fn a_meeting_of_two_tenants_is_in_both_under_one_id() {
        let meetings = read(entries(MEETING), &directory()).unwrap();
        assert_eq!(meetings.len(), 2);
        let ids: Vec<_> = meetings.keys().map(|(_, id)| id.clone()).collect();
        assert_eq!(ids[0], ids[1]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_place_and_the_fix() {
        let rows = [
            (MEETING.replace("'t', 'u'", "'x'"), "which is not in the file"),
            (MEETING.replace("'t', 'u'", ""), "name one in `tenants`"),
            (MEETING.replace("1234567", "12a"), "it has to be digits"),
            (format!("{MEETING}{MEETING}"), "give each its own"),
            (format!("{MEETING}starts = 'soon'\n"), "write it as"),
            (
                format!("{MEETING}starts = '2030-01-02T00:00:00Z'\nends = '2030-01-01T00:00:00Z'\n"),
                "ends before",
            ),
            (format!("{MEETING}consents = {{ bot = ['Calls.Initiate.All'] }}\n"), "a chat consents to"),
            (
                format!("{MEETING}consents = {{ bot = ['Calls.AccessMedia.Chat'] }}\n"),
                "consents to the application bot",
            ),
        ];
        for (text, words) in rows {
            let error = read(entries(&text), &directory()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
