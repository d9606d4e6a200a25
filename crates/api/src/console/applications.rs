use axum::extract::State;
use axum::response::Response;
use model::{Application, IndexedDirectory, Permission};
use serde_json::{Value, json};

use super::administrator::{Administrator, answer};
use super::secrets::address_without_secrets;
use super::summary::tenant;
use super::{Console, console};
use crate::error::ApiError;
use crate::state::AppState;

/// Applications that are shown; a directory has few.
const MAX_APPLICATIONS: usize = 1_000;

/// `GET applications`: the bots, without their secrets.
pub(super) async fn list(State(state): State<AppState>, _: Administrator) -> Result<Response, ApiError> {
    let (directory, console) = (state.api.directory.load(), console(&state)?);
    let applications = directory.applications.values().take(MAX_APPLICATIONS);
    let shown: Vec<_> = applications.map(|app| shown(&directory, console, app)).collect();
    Ok(answer(&json!({ "value": shown })))
}

fn shown(directory: &IndexedDirectory, console: &Console, app: &Application) -> Value {
    let granting = directory.tenants.values().filter_map(|of| {
        let granted = of.grants.get(&app.id)?;
        let permissions: Vec<_> = granted.iter().map(Permission::as_str).collect();
        Some(json!({"id": of.id.as_str(), "name": of.name, "permissions": permissions}))
    });
    let instances = directory.instances.values().filter(|instance| instance.app == app.id).map(|instance| {
        let numbers: Vec<_> = instance.numbers.iter().map(model::PhoneNumber::as_str).collect();
        json!({
            "id": instance.id,
            "tenant": tenant(directory, &instance.tenant),
            "numbers": numbers,
            "isWithheld": instance.is_withheld,
        })
    });
    let used = console.node.usage(&app.id);
    json!({
        "id": app.id.as_str(),
        "name": app.name,
        "alias": app.alias,
        "webhook": app.webhook.as_deref().map(address_without_secrets),
        "isCallingEnabled": app.is_calling_enabled,
        "calls": console.node.calls_of(&app.id),
        "tenants": granting.collect::<Vec<_>>(),
        "instances": instances.collect::<Vec<_>>(),
        "budget": {
            "callsUsed": used.calls,
            "calls": app.trunk_budget.calls_per_day,
            "secondsUsed": used.connected.as_secs(),
            "seconds": u64::from(app.trunk_budget.minutes_per_day) * 60,
        },
    })
}
