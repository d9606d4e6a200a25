//! What a call tells of the screen that is shared in it.

use call_engine::{ConferenceEvent, Config, Effect, Input};
use model::ChangeType::{Created, Deleted, Updated};
use model::{CallOptions, ContentSharingSessionId, NewCall, NotificationBody};
use uuid::Uuid;

use crate::harness::{Harness, group, new_call};

#[test]
fn a_shared_screen_is_kept_and_told_to_whoever_asked_for_that() {
    let session = ContentSharingSessionId::from(Uuid::from_u128(7));
    for is_asked in [None, Some(false), Some(true)] {
        let call_options =
            CallOptions { is_content_sharing_notification_enabled: is_asked, ..CallOptions::default() };
        let new = NewCall { call_options: Some(call_options), ..group(new_call()) };
        let mut harness = Harness::of(new, Config::default());
        harness.input(Input::Conference(ConferenceEvent::Joined));
        harness.effects.clear();
        for change in [Created, Updated, Deleted] {
            harness.input(Input::Conference(ConferenceEvent::ContentSharing { change, session }));
            let kept = harness.call.record().content_sharing;
            assert_eq!(kept, (change != Deleted).then_some(session));
            let is_kept =
                |effect: &Effect| matches!(effect, Effect::Persist(call) if call.content_sharing == kept);
            assert!(harness.effects.iter().any(is_kept));
        }
        let told: Vec<_> = harness.notifications().iter().map(|it| (it.change, it.body.clone())).collect();
        let body = NotificationBody::ContentSharing(session);
        let expected: &[_] = if is_asked == Some(true) {
            &[(Created, body.clone()), (Updated, body.clone()), (Deleted, body)]
        } else {
            &[]
        };
        assert_eq!(told, expected);
    }
}
