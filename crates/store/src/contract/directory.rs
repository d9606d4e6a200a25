use model::{TenantId, UserId};

use super::samples::{application, instance, tenant, trunk, user};
use crate::{DirectoryChange, Store, StoreError};

/// Everything that is put is there, under a version that only changes with it.
pub async fn the_directory_reads_back_with_its_version(store: &dyn Store) {
    assert_eq!(store.directory_version().await.unwrap(), 0);
    let changes = vec![
        DirectoryChange::PutTenant(Box::new(tenant("tenant", "Contoso"))),
        DirectoryChange::PutApplication(Box::new(application())),
        DirectoryChange::PutUser(Box::new(user("user"))),
        DirectoryChange::PutInstance(Box::new(instance())),
        DirectoryChange::PutTrunk(Box::new(trunk())),
    ];
    let version = store.apply_directory(0, changes).await.unwrap();
    assert!(version > 0);
    assert_eq!(store.apply_directory(version, Vec::new()).await.unwrap(), version);

    let snapshot = store.directory().await.unwrap();
    assert_eq!(snapshot.version, version);
    assert_eq!(store.directory_version().await.unwrap(), version);
    let directory = snapshot.directory;
    assert_eq!(directory.tenants.into_values().collect::<Vec<_>>(), [tenant("tenant", "Contoso")]);
    assert_eq!(directory.applications.into_values().collect::<Vec<_>>(), [application()]);
    assert_eq!(directory.users.into_values().collect::<Vec<_>>(), [user("user")]);
    assert_eq!(directory.instances.into_values().collect::<Vec<_>>(), [instance()]);
    assert_eq!(directory.trunks.into_values().collect::<Vec<_>>(), [trunk()]);
}

/// Two who decide from the same version do not overwrite each other.
pub async fn a_change_for_another_version_is_refused_whole(store: &dyn Store) {
    let one = DirectoryChange::PutTenant(Box::new(tenant("tenant", "Contoso")));
    let two = DirectoryChange::PutTenant(Box::new(tenant("tenant", "Fabrikam")));
    let version = store.apply_directory(0, vec![one]).await.unwrap();
    let error = store.apply_directory(0, vec![two]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { expected: 0, found } if found == version), "{error}");
    let snapshot = store.directory().await.unwrap();
    assert_eq!(snapshot.directory.tenants[&TenantId::from("tenant")].name, "Contoso");
}

/// Removing takes one thing away, and is no error twice.
pub async fn what_is_removed_from_the_directory_is_gone(store: &dyn Store) {
    let put = ["a", "b"].map(|id| DirectoryChange::PutUser(Box::new(user(id))));
    let version = store.apply_directory(0, put.to_vec()).await.unwrap();
    let remove = vec![DirectoryChange::RemoveUser(UserId::from("a"))];
    let version = store.apply_directory(version, remove.clone()).await.unwrap();
    store.apply_directory(version, remove).await.unwrap();
    let users = store.directory().await.unwrap().directory.users;
    assert_eq!(users.into_keys().collect::<Vec<_>>(), [UserId::from("b")]);
}
