use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{IndexedDirectory, User, UserId};
use node::Phone;
use serde_json::{Value, json};

use super::administrator::{Administrator, answer};
use super::console;
use super::page::Page;
use super::summary::tenant;
use crate::error::ApiError;
use crate::state::AppState;

/// `GET users?limit&after`: people by name, with the phones and pages that they have.
pub(super) async fn list(
    State(state): State<AppState>,
    _: Administrator,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = Page::of(uri.query())?;
    let (directory, node) = (state.api.directory.load_full(), &console(&state)?.node);
    let after = page.after.map(|after| UserId::from(after.as_str()));
    let after = after.map(|id| directory.users.get(&id).ok_or_else(Page::unknown)).transpose()?;
    let users = part(&directory, after, page.limit);
    let phones = node.phones(users.iter().map(|user| user.address.clone()).collect()).await;
    let phones = phones.into_iter().map(Some).chain(std::iter::repeat(None));
    let shown = users.iter().zip(phones).map(|(user, phones)| {
        let pages = node.pages_of(&user.id);
        shown(&directory, user, (&phones.unwrap_or_default(), pages))
    });
    let mut body = json!({"value": shown.collect::<Vec<_>>()});
    if let Some(last) = users.last().filter(|_| users.len() == page.limit) {
        body["nextAfter"] = json!(last.id.as_str());
    }
    Ok(answer(&body))
}

/// The first so many of all behind `after`, by name and id. Holds no more than those at a time.
fn part<'a>(directory: &'a IndexedDirectory, after: Option<&User>, limit: usize) -> Vec<&'a User> {
    let after = after.map(|user| (user.name.as_str(), &user.id));
    let mut first: BTreeSet<(&str, &UserId)> = BTreeSet::new();
    for user in directory.users.values() {
        let key = (user.name.as_str(), &user.id);
        if after.is_none_or(|after| key > after) {
            first.insert(key);
            if first.len() > limit {
                first.pop_last();
            }
        }
    }
    first.into_iter().filter_map(|(_, id)| directory.users.get(id)).collect()
}

fn shown(directory: &IndexedDirectory, user: &User, (phones, pages): (&[Phone], usize)) -> Value {
    let phone = |phone: &Phone| {
        json!({
            "contact": phone.contact,
            "transport": phone.transport,
            "remote": phone.remote.to_string(),
            "expiresAt": phone.expires_at.to_string(),
        })
    };
    json!({
        "id": user.id.as_str(),
        "name": user.name,
        "address": user.address,
        "tenant": tenant(directory, &user.tenant),
        "administrator": user.is_administrator,
        "hasPassword": user.ha1.is_some(),
        "hasScript": user.script.is_some(),
        "phones": phones.iter().map(phone).collect::<Vec<_>>(),
        "pages": pages,
    })
}

#[cfg(test)]
mod tests {
    use model::{Directory, TenantId};

    use super::*;

    #[test]
    fn people_are_listed_by_name_and_in_parts() {
        let user = |id: &str, name: &str| User {
            id: UserId::from(id),
            tenant: TenantId::from("t"),
            name: name.to_owned(),
            address: format!("{id}@contoso.example"),
            ha1: None,
            script: None,
            is_administrator: false,
        };
        let users = [user("1", "Zoe"), user("2", "Ann"), user("3", "Bob"), user("4", "Ann")];
        let users = users.into_iter().map(|user| (user.id.clone(), user)).collect();
        let directory = IndexedDirectory::from(Directory { users, ..Directory::default() });
        let ids = |after: Option<&str>, limit| {
            let after = after.and_then(|id| directory.users.get(&UserId::from(id)));
            part(&directory, after, limit).iter().map(|user| user.id.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(ids(None, 10), ["2", "4", "3", "1"]);
        assert_eq!(ids(None, 2), ["2", "4"]);
        assert_eq!(ids(Some("4"), 2), ["3", "1"]);
        assert!(ids(Some("1"), 2).is_empty());
    }
}
