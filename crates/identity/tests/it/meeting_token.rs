//! The tokens that let an application join one meeting.

use std::time::Duration;

use identity::{MeetingToken, MeetingTokenError, NotificationSigner, NotificationSignerSettings};
use model::{AppId, TenantId};
use proptest::prelude::*;

use crate::support::{BOT, CONTOSO, NOW, key_ring};

fn signer() -> NotificationSigner {
    NotificationSigner::new(NotificationSignerSettings::default(), key_ring())
}

fn meeting() -> MeetingToken {
    MeetingToken {
        app: AppId::from(BOT),
        tenant: TenantId::from(CONTOSO),
        thread: "19:meeting_abc@thread.v2".to_owned(),
    }
}

#[test]
fn a_token_names_its_meeting_for_a_day() {
    let signer = signer();
    let token = signer.meeting_token(&meeting(), NOW).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let read = |after| signer.read_meeting_token(&token, NOW.after(after));
    assert_eq!(read(Duration::ZERO), Ok(meeting()));
    assert_eq!(read(day - Duration::from_secs(1)), Ok(meeting()));
    assert_eq!(read(day), Err(MeetingTokenError::Expired));
}

#[test]
fn a_token_of_another_server_is_not_taken() {
    let stranger = identity::SigningKey::generate(NOW).unwrap();
    let keys = identity::KeyRing::new(identity::Rotation::default(), vec![stranger]);
    let stranger = NotificationSigner::new(NotificationSignerSettings::default(), keys);
    let token = stranger.meeting_token(&meeting(), NOW).unwrap();
    assert_eq!(signer().read_meeting_token(&token, NOW), Err(MeetingTokenError::Invalid));
}

#[test]
fn a_notifications_token_joins_nothing() {
    let signer = signer();
    let token = signer.bearer(&AppId::from("urn:hookswitch:meeting"), &TenantId::from(CONTOSO), NOW).unwrap();
    assert_eq!(signer.read_meeting_token(&token, NOW), Err(MeetingTokenError::Invalid));
}

#[test]
fn a_changed_token_is_not_taken() {
    let signer = signer();
    let token = signer.meeting_token(&meeting(), NOW).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    for changed in [
        String::new(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{header}.{claims}x.{signature}"),
        format!("{header}.e30.{signature}"),
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        token.repeat(20),
    ] {
        let read = signer.read_meeting_token(&changed, NOW);
        assert_eq!(read, Err(MeetingTokenError::Invalid), "{changed}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_as_a_token_only_fails(text in "[a-zA-Z0-9._-]{0,200}|.{0,60}") {
        prop_assert_eq!(signer().read_meeting_token(&text, NOW), Err(MeetingTokenError::Invalid));
    }
}
