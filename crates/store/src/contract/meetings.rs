use model::{MeetingId, OnlineMeeting, TenantId, Timestamp, UserId};

use super::samples::meeting;
use crate::{
    DirectoryChange, MAX_PURGED_MEETINGS, MeetingCreation, MeetingKey, MeetingQuota, Month, Store, StoreError,
};

const MONTH: Month = Month(24_300);

fn tenant() -> TenantId {
    TenantId::from("tenant")
}

async fn create(store: &dyn Store, meeting: &OnlineMeeting) -> MeetingCreation {
    let quota = MeetingQuota { month: MONTH, most: 1000 };
    store.create_meeting(meeting.clone(), quota).await.unwrap()
}

async fn read(store: &dyn Store, id: &str) -> Option<OnlineMeeting> {
    store.meeting(tenant(), MeetingKey::Id(MeetingId::from(id))).await.unwrap()
}

/// A meeting is found by each of its ids in its own tenant, and by none in another.
pub async fn a_meeting_is_found_by_each_of_its_ids_in_its_tenant(store: &dyn Store) {
    let kept = OnlineMeeting { external_id: Some("mine".to_owned()), ..meeting("a") };
    assert_eq!(create(store, &kept).await, MeetingCreation::Created);
    let other = OnlineMeeting { tenant: TenantId::from("other"), ..kept.clone() };
    assert_eq!(create(store, &other).await, MeetingCreation::Created, "ids are unique within a tenant only");
    for key in [
        MeetingKey::Id(kept.id.clone()),
        MeetingKey::Thread(kept.thread_id.clone()),
        MeetingKey::JoinMeetingId(kept.join_meeting_id.clone()),
        MeetingKey::VideoTeleconferenceId(kept.video_teleconference_id.clone().unwrap()),
        MeetingKey::External { organizer: UserId::from("user"), external_id: "mine".to_owned() },
    ] {
        assert_eq!(store.meeting(tenant(), key.clone()).await.unwrap(), Some(kept.clone()), "{key:?}");
        let elsewhere = TenantId::from("nobody");
        assert_eq!(store.meeting(elsewhere, key.clone()).await.unwrap(), None, "{key:?}");
    }
    let of_another = MeetingKey::External { organizer: UserId::from("b"), external_id: "mine".to_owned() };
    assert_eq!(store.meeting(tenant(), of_another).await.unwrap(), None);
}

/// What is another's is refused, and nothing changes.
pub async fn an_id_of_another_meeting_is_refused(store: &dyn Store) {
    let first = meeting("a");
    create(store, &first).await;
    let quota = MeetingQuota { month: MONTH, most: 1000 };
    for clash in [
        OnlineMeeting { id: first.id.clone(), ..meeting("b") },
        OnlineMeeting { thread_id: first.thread_id.clone(), ..meeting("b") },
        OnlineMeeting { join_meeting_id: first.join_meeting_id.clone(), ..meeting("b") },
        OnlineMeeting { video_teleconference_id: first.video_teleconference_id.clone(), ..meeting("b") },
    ] {
        let error = store.create_meeting(clash, quota).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken(_)), "{error}");
    }
    assert_eq!(read(store, "a").await, Some(first.clone()));
    assert_eq!(read(store, "b").await, None);

    create(store, &meeting("b")).await;
    let moved = OnlineMeeting { thread_id: first.thread_id, revision: 1, ..meeting("b") };
    assert!(matches!(store.change_meeting(moved).await, Err(StoreError::Taken(_))));
}

/// Of several that create with one external id at the same time, one makes the meeting.
pub async fn one_external_id_makes_one_meeting_however_many_ask_at_once(store: &dyn Store) {
    let quota = MeetingQuota { month: MONTH, most: 1000 };
    let asked: Vec<_> = ["a", "b", "c"]
        .map(|id| OnlineMeeting { external_id: Some("mine".to_owned()), ..meeting(id) })
        .into_iter()
        .map(|meeting| store.create_meeting(meeting, quota))
        .collect();
    let mut made = Vec::new();
    for answer in asked {
        made.push(answer.await.unwrap());
    }
    let first = read(store, "a").await.unwrap();
    let found = MeetingCreation::Found(Box::new(first));
    assert_eq!(made, [MeetingCreation::Created, found.clone(), found]);

    let of_another = OnlineMeeting {
        organizer: UserId::from("another"),
        external_id: Some("mine".to_owned()),
        ..meeting("d")
    };
    assert_eq!(create(store, &of_another).await, MeetingCreation::Created);
    assert_eq!(create(store, &meeting("e")).await, MeetingCreation::Created, "without one there is no other");
    assert_eq!(create(store, &meeting("f")).await, MeetingCreation::Created);
}

/// The quota counts what was made, deleted or not, by organizer and month; what is found is not made.
pub async fn a_person_has_a_quota_of_meetings_in_a_month(store: &dyn Store) {
    let quota = MeetingQuota { month: MONTH, most: 2 };
    let with_key = |id: &str| OnlineMeeting { external_id: Some("mine".to_owned()), ..meeting(id) };
    let first = with_key("a");
    assert_eq!(store.create_meeting(first.clone(), quota).await.unwrap(), MeetingCreation::Created);
    let found = MeetingCreation::Found(Box::new(first));
    assert_eq!(store.create_meeting(with_key("b"), quota).await.unwrap(), found);
    assert_eq!(store.create_meeting(meeting("c"), quota).await.unwrap(), MeetingCreation::Created);
    assert!(store.delete_meeting(tenant(), MeetingId::from("c")).await.unwrap());
    assert_eq!(store.create_meeting(meeting("d"), quota).await.unwrap(), MeetingCreation::OverQuota);
    assert_eq!(store.create_meeting(with_key("e"), quota).await.unwrap(), found);

    let other = OnlineMeeting { organizer: UserId::from("another"), ..meeting("f") };
    assert_eq!(store.create_meeting(other, quota).await.unwrap(), MeetingCreation::Created);
    let later = MeetingQuota { month: Month(MONTH.0 + 1), ..quota };
    assert_eq!(store.create_meeting(meeting("g"), later).await.unwrap(), MeetingCreation::Created);
}

/// Two that change the same state do not overwrite each other.
pub async fn a_meeting_changes_from_its_latest_state_only(store: &dyn Store) {
    create(store, &meeting("a")).await;
    let named = |subject: &str, revision| OnlineMeeting {
        subject: Some(subject.to_owned()),
        revision,
        ..meeting("a")
    };
    assert!(store.change_meeting(named("first", 1)).await.unwrap());
    assert!(!store.change_meeting(named("second", 1)).await.unwrap());
    assert!(!store.change_meeting(named("far ahead", 3)).await.unwrap());
    assert!(store.change_meeting(named("second", 2)).await.unwrap());
    assert_eq!(read(store, "a").await, Some(named("second", 2)));
    assert!(!store.change_meeting(OnlineMeeting { revision: 1, ..meeting("b") }).await.unwrap());
    assert_eq!(read(store, "b").await, None);
}

/// A meeting moves with what finds it.
pub async fn a_changed_meeting_is_found_by_its_new_ids_only(store: &dyn Store) {
    create(store, &meeting("a")).await;
    let changed = OnlineMeeting {
        join_meeting_id: "999".to_owned(),
        external_id: Some("mine".to_owned()),
        revision: 1,
        ..meeting("a")
    };
    assert!(store.change_meeting(changed.clone()).await.unwrap());
    let find = |id: String| store.meeting(tenant(), MeetingKey::JoinMeetingId(id));
    assert_eq!(find(meeting("a").join_meeting_id).await.unwrap(), None);
    assert_eq!(find("999".to_owned()).await.unwrap(), Some(changed));
}

/// Deleting takes one meeting of one tenant, and frees its ids.
pub async fn a_deleted_meeting_is_gone(store: &dyn Store) {
    let other = OnlineMeeting { tenant: TenantId::from("other"), ..meeting("a") };
    create(store, &meeting("a")).await;
    create(store, &other).await;
    assert!(store.delete_meeting(tenant(), MeetingId::from("a")).await.unwrap());
    assert!(!store.delete_meeting(tenant(), MeetingId::from("a")).await.unwrap());
    assert_eq!(read(store, "a").await, None);
    let there = store.meeting(other.tenant.clone(), MeetingKey::Id(other.id.clone())).await.unwrap();
    assert_eq!(there, Some(other));
    assert_eq!(create(store, &meeting("a")).await, MeetingCreation::Created);
}

/// Meetings of a directory file come and go with the directory: all of it or nothing.
pub async fn meetings_of_a_file_change_with_the_directory(store: &dyn Store) {
    let from_file = |id: &str| OnlineMeeting { is_from_file: true, ..meeting(id) };
    create(store, &meeting("api")).await;
    let put = |meeting: OnlineMeeting| DirectoryChange::PutMeeting(Box::new(meeting));
    let version = store.apply_directory(0, vec![put(from_file("b")), put(from_file("a"))]).await.unwrap();
    assert_eq!(store.meetings_from_file().await.unwrap(), [from_file("a"), from_file("b")]);

    // Two that swap an id are each right in the end.
    let swapped = [("a", "b"), ("b", "a")].map(|(id, other)| {
        put(OnlineMeeting { join_meeting_id: meeting(other).join_meeting_id, revision: 1, ..from_file(id) })
    });
    let version = store.apply_directory(version, swapped.to_vec()).await.unwrap();
    let by_number = MeetingKey::JoinMeetingId(meeting("b").join_meeting_id);
    assert_eq!(store.meeting(tenant(), by_number).await.unwrap().unwrap().id, MeetingId::from("a"));

    let clash = OnlineMeeting { thread_id: meeting("api").thread_id, ..from_file("c") };
    let remove = DirectoryChange::RemoveMeeting(tenant(), MeetingId::from("a"));
    let error = store.apply_directory(version, vec![remove.clone(), put(clash)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken(_)), "{error}");
    assert_eq!(store.meetings_from_file().await.unwrap().len(), 2, "nothing has changed");

    store.apply_directory(version, vec![remove]).await.unwrap();
    let left: Vec<_> = store.meetings_from_file().await.unwrap().into_iter().map(|there| there.id).collect();
    assert_eq!(left, [MeetingId::from("b")]);
    assert_eq!(read(store, "api").await, Some(meeting("api")));
}

/// What ended long ago goes, in rounds; what a file names stays.
pub async fn meetings_that_ended_long_ago_are_purged(store: &dyn Store) {
    let ending = |id: &str, at| OnlineMeeting { ends_at: Timestamp::from_millis(at), ..meeting(id) };
    for number in 0..MAX_PURGED_MEETINGS {
        create(store, &ending(&format!("old{number}"), 99)).await;
    }
    create(store, &ending("oldest", 1)).await;
    create(store, &ending("recent", 100)).await;
    let kept = OnlineMeeting { is_from_file: true, ..ending("file", 1) };
    store.apply_directory(0, vec![DirectoryChange::PutMeeting(Box::new(kept))]).await.unwrap();

    let purge = || store.purge_meetings(Timestamp::from_millis(100), MONTH);
    assert_eq!(purge().await.unwrap(), MAX_PURGED_MEETINGS);
    assert_eq!(read(store, "oldest").await, None);
    assert_eq!(purge().await.unwrap(), 1);
    assert_eq!(purge().await.unwrap(), 0);
    assert!(read(store, "recent").await.is_some());
    assert!(read(store, "file").await.is_some());
}

/// A month's count is forgotten after the month, and not before.
pub async fn purging_forgets_the_counts_of_former_months(store: &dyn Store) {
    let quota = MeetingQuota { month: MONTH, most: 1 };
    store.create_meeting(meeting("a"), quota).await.unwrap();
    store.purge_meetings(Timestamp::from_millis(0), MONTH).await.unwrap();
    assert_eq!(store.create_meeting(meeting("b"), quota).await.unwrap(), MeetingCreation::OverQuota);
    store.purge_meetings(Timestamp::from_millis(0), Month(MONTH.0 + 1)).await.unwrap();
    assert_eq!(store.create_meeting(meeting("b"), quota).await.unwrap(), MeetingCreation::Created);
}

/// The console goes through all meetings, the latest first.
pub async fn all_meetings_are_read_in_pages(store: &dyn Store) {
    assert_eq!(store.meetings(None, 10).await.unwrap(), []);
    for id in ["a", "b", "c"] {
        create(store, &meeting(id)).await;
    }
    let read = async |after: Option<&str>, limit| {
        let after = after.map(|id| (tenant(), MeetingId::from(id)));
        let page = store.meetings(after, limit).await.unwrap();
        page.into_iter().map(|meeting| meeting.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read(None, 10).await, ["c", "b", "a"]);
    assert_eq!(read(None, 2).await, ["c", "b"]);
    assert_eq!(read(Some("b"), 2).await, ["a"]);
    let unknown = store.meetings(Some((tenant(), MeetingId::from("d"))), 1).await;
    assert!(matches!(unknown, Err(StoreError::Invalid(_))));
}
