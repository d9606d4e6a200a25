//! The directory of `dev`: the values of the documented examples, so that they can be pasted and run.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    AccessPolicy, AllowedPresenters, AppId, Application, ApplicationInstance, Directory, LobbyBypass,
    LobbyBypassScope, OnlineMeeting, Permission, PermissionSet, Script, ScriptAnswer, Tenant, TenantId,
    Timestamp, Tone, TrunkBudget, User, UserId,
};

use crate::directory::ha1;
use crate::directory_meetings::id_of;

pub(crate) const CONTOSO: &str = "aa67bd4c-8475-432d-bd41-39f255720e0a";
/// Not a GUID, as documented; it must work all the same.
const FABRIKAM: &str = "86dc81db-c112-4228-9222-63f3esaa1edb";
pub(crate) const CALLING_BOT: &str = "2891555a-92ff-42e6-80fa-6e1300c6b5c6";
const TEST_BOT: &str = "dd3885da-f9ab-486b-bfae-85de3d445555";
const NO_RIGHTS: &str = "0d2d1e2f-0000-4000-8000-000000000001";
pub(crate) const JOHN: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
const USER1: &str = "98da8a1a-1b87-452c-a713-65d3f10b5555";
const USER2: &str = "bf5aae9a-d11d-47a8-93b1-782504c95555";
const BOB: &str = "5810cede-f3cc-42eb-b2c1-e9bd5d53ec96";
const WEEKLY_SYNC: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2";
const WITH_PASSCODE: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNNkYTFm@thread.v2";
const WITHOUT_PASSCODE: &str = "19:meeting_ZGV2LXdpdGhvdXQtYS1wYXNzY29kZQ@thread.v2";
pub(crate) const INSTANCE: &str = "3d913abb-aec0-4964-8fa6-3c6850c4f278";
const NUMBER: &str = "+12345678900";
/// By which people dial in to the meetings of Contoso.
const DIAL_IN: &str = "+12345678999";

pub(crate) const SECRET: &str = "dev-secret";
const PASSWORD: &str = "dev-password";
const WEBHOOK: &str = "http://127.0.0.1:9000/callback";

/// The dev tenant's directory.
///
/// `secret_hash` is the argon2id hash of [`SECRET`]; one hash serves all three applications, as their secret is public.
pub(crate) fn directory(realm: &str, secret_hash: &str) -> Directory {
    let applications = [
        application(CALLING_BOT, ("Calling Bot", Some("calling-bot")), secret_hash, Some(WEBHOOK)),
        application(TEST_BOT, ("TestBot", Some("testbot")), secret_hash, Some(WEBHOOK)),
        application(NO_RIGHTS, ("No Rights", None), secret_hash, None),
    ];
    let users = [
        user(JOHN, "John", realm, keys_after_answer()),
        user(
            USER1,
            "user1",
            realm,
            Script { echo: true, ..quiet(ScriptAnswer::After(Duration::from_millis(300))) },
        ),
        user(USER2, "user2", realm, quiet(ScriptAnswer::Declined)),
        user(BOB, "Bob", realm, quiet(ScriptAnswer::Never)),
    ];
    let instance = ApplicationInstance {
        id: INSTANCE.to_owned(),
        app: CALLING_BOT.into(),
        tenant: CONTOSO.into(),
        numbers: NUMBER.parse().into_iter().collect(),
        is_withheld: false,
    };
    Directory {
        tenants: [tenant(CONTOSO, "Contoso", Some(DIAL_IN)), tenant(FABRIKAM, "Fabrikam", None)].into(),
        applications: applications.map(|application| (application.id.clone(), application)).into(),
        users: users.map(|user| (user.id.clone(), user)).into(),
        instances: BTreeMap::from([(instance.id.clone(), instance)]),
        trunks: BTreeMap::new(),
    }
}

/// What the directory of a data folder should be that an earlier release made, where that was the dev tenant: then there
/// were no administrators yet, before that nobody could dial in to meetings, before that applications had no aliases, and before
/// that nobody could act on meetings.
pub(crate) fn of_earlier_release(directory: &Directory, realm: &str) -> Option<Directory> {
    let secret_hash = directory.applications.get(&CALLING_BOT.into())?.secret_hashes.first()?;
    let wanted = self::directory(realm, secret_hash);
    let mut without_administrators = wanted.clone();
    without_administrators.users.values_mut().for_each(|user| user.is_administrator = false);
    let mut without_dial_in = without_administrators.clone();
    without_dial_in.tenants.values_mut().for_each(|tenant| tenant.dial_in_numbers.clear());
    let mut without_aliases = without_dial_in.clone();
    without_aliases.applications.values_mut().for_each(|application| application.alias = None);
    let mut without_policies = without_aliases.clone();
    without_policies.tenants.values_mut().for_each(|tenant| tenant.access_policies.clear());
    let earlier = [without_administrators, without_dial_in, without_aliases, without_policies];
    earlier.contains(directory).then_some(wanted)
}

/// The dev tenant's meetings: the same ones in both tenants, as the documented examples join them in either.
pub(crate) fn meetings() -> Vec<OnlineMeeting> {
    let of = |tenant: &str| {
        [
            meeting(tenant, WEEKLY_SYNC, "Weekly sync", ("2026111", None)),
            meeting(tenant, WITH_PASSCODE, "With a passcode", ("1234567", Some("psw123"))),
            meeting(tenant, WITHOUT_PASSCODE, "Without a passcode", ("7654321", None)),
        ]
    };
    [of(CONTOSO), of(FABRIKAM)].into_iter().flatten().collect()
}

/// A meeting that everyone comes straight into, Bob's, on a Monday that has long passed: it goes on for ever.
fn meeting(
    tenant: &str,
    thread: &str,
    subject: &str,
    (join_meeting_id, passcode): (&str, Option<&str>),
) -> OnlineMeeting {
    // 2026-01-05T09:00:00Z, and a hundred years later.
    let (start, end) = (Timestamp::from_millis(1_767_603_600_000), Timestamp::from_millis(4_923_277_200_000));
    OnlineMeeting {
        id: id_of(BOB, thread),
        tenant: tenant.into(),
        organizer: BOB.into(),
        organizer_name: Some("Bob".to_owned()),
        thread_id: thread.to_owned(),
        external_id: None,
        subject: Some(subject.to_owned()),
        created_at: start,
        starts_at: start,
        ends_at: end,
        attendees: Vec::new(),
        join_meeting_id: join_meeting_id.to_owned(),
        passcode: passcode.map(str::to_owned),
        // The number of the documented example.
        video_teleconference_id: (thread == WEEKLY_SYNC).then(|| "123456789".to_owned()),
        lobby_bypass: LobbyBypass { scope: LobbyBypassScope::Everyone, is_dial_in_bypass_enabled: true },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Everyone,
        is_entry_exit_announced: false,
        is_locked: false,
        consents: BTreeMap::new(),
        options: BTreeMap::new(),
        is_from_file: true,
        revision: 0,
    }
}

fn tenant(id: &str, name: &str, dial_in: Option<&str>) -> (TenantId, Tenant) {
    let all: PermissionSet = Permission::KNOWN.into_iter().map(Permission::from).collect();
    let none = PermissionSet::default();
    let grants: [(AppId, PermissionSet); 3] =
        [(CALLING_BOT.into(), all.clone()), (TEST_BOT.into(), all), (NO_RIGHTS.into(), none)];
    let access_policies = [CALLING_BOT, TEST_BOT].map(|app| (app.into(), AccessPolicy::All)).into();
    let (id, name) = (TenantId::from(id), name.to_owned());
    let dial_in_numbers = dial_in.and_then(|number| number.parse().ok()).into_iter().collect();
    (id.clone(), Tenant { id, name, grants: grants.into(), access_policies, dial_in_numbers })
}

fn application(
    id: &str,
    (name, alias): (&str, Option<&str>),
    secret_hash: &str,
    webhook: Option<&str>,
) -> Application {
    Application {
        id: id.into(),
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
        secret_hashes: vec![secret_hash.to_owned()],
        assertion_keys: Vec::new(),
        webhook: webhook.map(str::to_owned),
        is_calling_enabled: true,
        trunk_budget: TrunkBudget::default(),
    }
}

fn user(id: &str, name: &str, realm: &str, script: Script) -> User {
    // Phones register under the realm, which is the domain of the users' addresses.
    let address = format!("{}@{realm}", name.to_lowercase());
    User {
        id: UserId::from(id),
        tenant: CONTOSO.into(),
        name: name.to_owned(),
        ha1: Some(ha1(&address, realm, PASSWORD)),
        address,
        script: Some(script),
        is_administrator: id == JOHN,
    }
}

const fn quiet(answer: ScriptAnswer) -> Script {
    Script { answer, tone_hz: None, play_file: None, echo: false, keys: Vec::new(), hang_up_after: None }
}

/// John answers after 300 ms, says something, and presses `1` and `#` two seconds later.
fn keys_after_answer() -> Script {
    let pressed = Duration::from_secs(2);
    Script {
        play_file: Some("https://cdn.contoso.com/hello.wav".to_owned()),
        keys: vec![(pressed, Tone::Digit(1)), (pressed + Duration::from_millis(300), Tone::Pound)],
        ..quiet(ScriptAnswer::After(Duration::from_millis(300)))
    }
}
