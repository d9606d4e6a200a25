//! What can be set about a meeting.

use std::collections::BTreeMap;

use model::{AllowedPresenters, LobbyBypassScope, MeetingOption, OnlineMeeting};
use serde_json::Value;

use crate::InvalidRequest;
use crate::invalid_request::Path;
use crate::wire::{Body, Definition, Fields, Member, Nulls, Shape, Wire, one_of, wire_enum};

wire_enum! {
    AllowedPresenters as "onlineMeetingPresenters" {
        AllowedPresenters::Everyone = "everyone",
        AllowedPresenters::Organization = "organization",
        AllowedPresenters::RoleIsPresenter = "roleIsPresenter",
        AllowedPresenters::Organizer = "organizer",
    }
}

wire_enum! {
    LobbyBypassScope as "lobbyBypassScope" {
        LobbyBypassScope::Organizer = "organizer",
        LobbyBypassScope::Organization = "organization",
        LobbyBypassScope::OrganizationAndFederated = "organizationAndFederated",
        LobbyBypassScope::Everyone = "everyone",
        LobbyBypassScope::Invited = "invited",
        LobbyBypassScope::OrganizationExcludingGuests = "organizationExcludingGuests",
    }
}

/// Who admits from the lobby (`allowedLobbyAdmitterRoles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LobbyAdmitters {
    Organizers,
    OrganizersAndPresenters,
}

wire_enum! {
    LobbyAdmitters as "allowedLobbyAdmitterRoles" {
        LobbyAdmitters::OrganizersAndPresenters = "organizerAndCoOrganizersAndPresenters",
        LobbyAdmitters::Organizers = "organizerAndCoOrganizers",
    }
}

/// An option that only clients act on, kept under its JSON name.
struct OptionRule {
    name: &'static str,
    kind: Kind,
    /// Whether it may be changed later (documentation of update).
    is_updatable: bool,
}

enum Kind {
    /// A switch with its default.
    Switch(bool),
    /// Words of an enumeration, the default first.
    Words(&'static str, &'static [&'static str]),
}

const fn switch(name: &'static str, default: bool) -> OptionRule {
    OptionRule { name, kind: Kind::Switch(default), is_updatable: true }
}

const OPTIONS: &[OptionRule] = &[
    switch("allowAttendeeToEnableCamera", true),
    switch("allowAttendeeToEnableMic", true),
    switch("allowBreakoutRooms", true),
    switch("allowCopyingAndSharingMeetingContent", true),
    OptionRule {
        name: "allowLiveShare",
        kind: Kind::Words("meetingLiveShareOptions", &["enabled", "disabled"]),
        is_updatable: true,
    },
    OptionRule {
        name: "allowMeetingChat",
        kind: Kind::Words("meetingChatMode", &["enabled", "disabled", "limited"]),
        is_updatable: true,
    },
    OptionRule { is_updatable: false, ..switch("allowParticipantsToChangeName", false) },
    switch("allowPowerPointSharing", true),
    switch("allowRecording", true),
    switch("allowTeamworkReactions", true),
    switch("allowTranscription", true),
    switch("allowWhiteboard", true),
    switch("recordAutomatically", false),
    OptionRule {
        name: "shareMeetingChatHistoryDefault",
        kind: Kind::Words("meetingChatHistoryDefaultMode", &["none", "all"]),
        is_updatable: false,
    },
];

/// Switches of `watermarkProtection`, which are an object of their own; kept as `watermarkProtection.…`.
const WATERMARKS: &[&str] = &["isEnabledForContentSharing", "isEnabledForVideo"];

/// What a request sets; what it leaves out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MeetingSettings {
    pub(crate) lobby_scope: Option<LobbyBypassScope>,
    pub(crate) is_dial_in_bypass_enabled: Option<bool>,
    pub(crate) lobby_admitters: Option<LobbyAdmitters>,
    pub(crate) allowed_presenters: Option<AllowedPresenters>,
    pub(crate) is_entry_exit_announced: Option<bool>,
    pub(crate) options: BTreeMap<String, MeetingOption>,
}

impl MeetingSettings {
    pub(crate) fn read(root: &Fields<'_>) -> Result<Self, InvalidRequest> {
        let mut settings = Self {
            lobby_admitters: root.optional("allowedLobbyAdmitters")?,
            allowed_presenters: root.optional("allowedPresenters")?,
            is_entry_exit_announced: root.optional("isEntryExitAnnounced")?,
            options: read_options(root)?,
            ..Self::default()
        };
        if let Some(lobby) = root.value("lobbyBypassSettings") {
            let at = Path::Member(root.at(), "lobbyBypassSettings");
            let lobby = Fields::of(lobby, &at, &["lobbyBypassSettings"])?;
            settings.lobby_scope = lobby.optional("scope")?;
            settings.is_dial_in_bypass_enabled = lobby.optional("isDialInBypassEnabled")?;
        }
        Ok(settings)
    }

    pub(crate) fn apply(self, meeting: &mut OnlineMeeting) {
        let lobby = &mut meeting.lobby_bypass;
        lobby.scope = self.lobby_scope.unwrap_or(lobby.scope);
        lobby.is_dial_in_bypass_enabled =
            self.is_dial_in_bypass_enabled.unwrap_or(lobby.is_dial_in_bypass_enabled);
        if let Some(admitters) = self.lobby_admitters {
            meeting.is_admitting_left_to_organizers = admitters == LobbyAdmitters::Organizers;
        }
        meeting.allowed_presenters = self.allowed_presenters.unwrap_or(meeting.allowed_presenters);
        meeting.is_entry_exit_announced =
            self.is_entry_exit_announced.unwrap_or(meeting.is_entry_exit_announced);
        for (name, value) in self.options {
            if effective(meeting, &name) != value {
                meeting.options.insert(name, value);
            }
        }
    }

    /// The name of the first option that is another than the meeting has, though it cannot change any more.
    pub(crate) fn fixed_option_that_differs(&self, meeting: &OnlineMeeting) -> Option<&'static str> {
        let fixed = OPTIONS.iter().filter(|rule| !rule.is_updatable);
        let differs = |rule: &&OptionRule| {
            self.options.get(rule.name).is_some_and(|wanted| *wanted != rule.value_in(meeting))
        };
        fixed.map(|rule| (rule, rule.name)).find(|(rule, _)| differs(rule)).map(|(_, name)| name)
    }
}

impl OptionRule {
    fn read(&self, root: &Fields<'_>) -> Result<Option<MeetingOption>, InvalidRequest> {
        match self.kind {
            Kind::Switch(_) => Ok(root.optional(self.name)?.map(MeetingOption::Switch)),
            Kind::Words(_, words) => {
                let Some(text) = root.optional::<String>(self.name)? else { return Ok(None) };
                let known = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
                let known = known.ok_or_else(|| root.expected(self.name, one_of(words)))?;
                Ok(Some(MeetingOption::Word((*known).to_owned())))
            }
        }
    }

    fn value_in(&self, meeting: &OnlineMeeting) -> MeetingOption {
        let default = || match self.kind {
            Kind::Switch(default) => MeetingOption::Switch(default),
            Kind::Words(_, words) => {
                MeetingOption::Word(words.first().copied().unwrap_or_default().to_owned())
            }
        };
        meeting.options.get(self.name).cloned().unwrap_or_else(default)
    }

    fn member(&self) -> Member {
        match self.kind {
            Kind::Switch(_) => Member::nullable(self.name, Shape::Boolean),
            Kind::Words(of, _) => Member::nullable(self.name, Shape::Named(of)),
        }
    }
}

/// What an option of a meeting is, set or not.
fn effective(meeting: &OnlineMeeting, name: &str) -> MeetingOption {
    let rule = OPTIONS.iter().find(|rule| rule.name == name);
    rule.map_or_else(
        || meeting.options.get(name).cloned().unwrap_or(MeetingOption::Switch(false)),
        |rule| rule.value_in(meeting),
    )
}

fn read_options(root: &Fields<'_>) -> Result<BTreeMap<String, MeetingOption>, InvalidRequest> {
    let mut options = BTreeMap::new();
    for rule in OPTIONS {
        if let Some(value) = rule.read(root)? {
            options.insert(rule.name.to_owned(), value);
        }
    }
    if let Some(watermarks) = root.value(WATERMARK_PROTECTION) {
        let at = Path::Member(root.at(), WATERMARK_PROTECTION);
        let watermarks = Fields::of(watermarks, &at, &[WATERMARK_VALUES])?;
        for name in WATERMARKS.iter().copied() {
            if let Some(is_enabled) = watermarks.optional(name)? {
                options.insert(watermark_key(name), MeetingOption::Switch(is_enabled));
            }
        }
    }
    Ok(options)
}

const WATERMARK_PROTECTION: &str = "watermarkProtection";
const WATERMARK_VALUES: &str = "watermarkProtectionValues";

fn watermark_key(name: &str) -> String {
    format!("{WATERMARK_PROTECTION}.{name}")
}

/// Shows everything that can be set. Of scopes that came later than the first clients, those that do not ask for them are
/// told only that there is something new.
pub(crate) fn write_settings(body: &mut Body, meeting: &OnlineMeeting, shows_unknown_members: bool) {
    for rule in OPTIONS {
        let value = match rule.value_in(meeting) {
            MeetingOption::Switch(is_on) => Value::from(is_on),
            MeetingOption::Word(word) => Value::from(word),
        };
        body.set(rule.name, value);
    }
    let mut watermarks = Body::of(WATERMARK_VALUES, Nulls::Show);
    for name in WATERMARKS.iter().copied() {
        let is_enabled = meeting.options.get(&watermark_key(name)) == Some(&MeetingOption::Switch(true));
        watermarks.set(name, is_enabled);
    }
    body.set(WATERMARK_PROTECTION, watermarks);
    let admitters = match meeting.is_admitting_left_to_organizers {
        true => LobbyAdmitters::Organizers,
        false => LobbyAdmitters::OrganizersAndPresenters,
    };
    body.required("allowedLobbyAdmitters", &admitters);
    body.required("allowedPresenters", &meeting.allowed_presenters);
    body.required("isEntryExitAnnounced", &meeting.is_entry_exit_announced);
    let mut lobby = Body::of("lobbyBypassSettings", Nulls::Show);
    let scope = meeting.lobby_bypass.scope;
    let is_late = matches!(scope, LobbyBypassScope::Invited | LobbyBypassScope::OrganizationExcludingGuests);
    if is_late && !shows_unknown_members {
        lobby.set("scope", "unknownFutureValue");
    } else {
        lobby.required("scope", &scope);
    }
    lobby.required("isDialInBypassEnabled", &meeting.lobby_bypass.is_dial_in_bypass_enabled);
    body.set("lobbyBypassSettings", lobby);
}

/// The members that [`MeetingSettings`] reads and [`write_settings`] writes.
pub(crate) fn settings_members() -> Vec<Member> {
    let named = |name, of| Member::nullable(name, Shape::Named(of));
    let mut members: Vec<Member> = OPTIONS.iter().map(OptionRule::member).collect();
    members.extend([
        named(WATERMARK_PROTECTION, WATERMARK_VALUES),
        Member::nullable("allowedLobbyAdmitters", LobbyAdmitters::shape()),
        Member::nullable("allowedPresenters", AllowedPresenters::shape()),
        Member::nullable("isEntryExitAnnounced", Shape::Boolean),
        named("lobbyBypassSettings", "lobbyBypassSettings"),
    ]);
    members
}

/// The definitions of the types that those members have.
pub(crate) fn settings_definitions() -> Vec<Definition> {
    use crate::wire::Defined;
    let object = |name, members| Definition::Object { name, base: None, members };
    let words = OPTIONS.iter().filter_map(|rule| match rule.kind {
        Kind::Switch(_) => None,
        Kind::Words(name, words) => Some(Definition::Enumeration { name, members: words.to_vec() }),
    });
    let mut definitions: Vec<Definition> = words.collect();
    definitions.extend([
        AllowedPresenters::definition(),
        LobbyAdmitters::definition(),
        LobbyBypassScope::definition(),
        object(
            "lobbyBypassSettings",
            vec![
                Member::nullable("isDialInBypassEnabled", Shape::Boolean),
                Member::nullable("scope", LobbyBypassScope::shape()),
            ],
        ),
        object(
            WATERMARK_VALUES,
            WATERMARKS.iter().map(|name| Member::nullable(name, Shape::Boolean)).collect(),
        ),
    ]);
    definitions
}
