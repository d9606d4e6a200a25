use super::samples::key;
use crate::{KeyPurpose, Store};

/// Purposes do not mix.
pub async fn keys_are_kept_by_purpose_newest_first(store: &dyn Store) {
    let old = key("old", KeyPurpose::Tokens, 1, 100);
    let new = key("new", KeyPurpose::Tokens, 2, 200);
    let other = key("old", KeyPurpose::Notifications, 1, 100);
    for each in [&old, &new, &other] {
        store.put_signing_key(each.clone()).await.unwrap();
    }
    assert_eq!(store.signing_keys(KeyPurpose::Tokens).await.unwrap(), [new, old]);
    assert_eq!(store.signing_keys(KeyPurpose::Notifications).await.unwrap(), [other]);
}

/// Rotation does not pile keys up.
pub async fn a_new_key_removes_expired_ones_of_its_purpose(store: &dyn Store) {
    let expired = key("expired", KeyPurpose::Tokens, 1, 100);
    let valid = key("valid", KeyPurpose::Tokens, 2, 101);
    let other = key("other", KeyPurpose::Notifications, 1, 100);
    let new = key("new", KeyPurpose::Tokens, 101, 300);
    for each in [&expired, &valid, &other, &new] {
        store.put_signing_key(each.clone()).await.unwrap();
    }
    assert_eq!(store.signing_keys(KeyPurpose::Tokens).await.unwrap(), [new, valid]);
    assert_eq!(store.signing_keys(KeyPurpose::Notifications).await.unwrap(), [other]);
}
