use axum::extract::State;
use axum::response::{IntoResponse, Response};
use graph_wire::GraphError;
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use model::{IndexedDirectory, User};
use serde_json::{Value, json};

use super::guesses::Guess;
use super::sessions::Session;
use super::{SameOrigin, Web};
use crate::error::ApiError;
use crate::extract::RawBody;
use crate::reply;
use crate::state::{AppState, Shared};

/// The cookie with the session's token.
const COOKIE_NAME: &str = "hookswitch_session";

/// Octets of a password and of a name; hashing takes time, and nobody has signed in yet.
const MAX_PASSWORD: usize = 1_024;
const MAX_NAME: usize = 256;

/// How long to wait where as many are signed in as may be.
const WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// `POST /hookswitch/v1/web/session`
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    from: SameOrigin,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let web = web(&state)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let member = |name: &str, most: usize| body[name].as_str().filter(|text| text.len() <= most);
    let (Some(name), Some(password)) = (member("user", MAX_NAME), member("password", MAX_PASSWORD)) else {
        return Err(GraphError::invalid_argument("The body must have 'user' and 'password'.").into());
    };
    let directory = state.api.directory.load_full();
    // However the name is written.
    let whose = directory.user_by_sip_name(name.trim()).map_or(name, |user| user.id.as_str());
    let (guess, now) = (Guess::new(from.source, whose), state.api.clock.elapsed());
    state.web_guesses.begin(&guess, now).map_err(GraphError::too_many_requests)?;
    let user = node::sign_in(&directory, name, password)
        .ok_or_else(|| GraphError::unauthenticated("The name or the password is wrong."))?;
    state.web_guesses.right(&guess, now);
    let shown = shown(&directory, &user)?;
    let token = web.sessions.begin(user.clone(), now).ok_or_else(|| GraphError::unavailable(WAIT))?;
    tracing::info!(user.id = user.as_str(), "a user has signed in with a browser");
    let cookie = cookie(&token, web.sessions.lifetime().as_secs(), from.is_secure);
    Ok(private(reply::with_header(reply::json(StatusCode::OK, &shown), SET_COOKIE, &cookie)))
}

/// `GET /hookswitch/v1/web/session`
pub(crate) async fn who(
    State(state): State<AppState>,
    _: SameOrigin,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (_, session) = signed_in(&state, &headers)?;
    let shown = shown(&state.api.directory.load(), &session.user)?;
    Ok(private(reply::json(StatusCode::OK, &shown)))
}

/// `DELETE /hookswitch/v1/web/session`
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    from: SameOrigin,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let web = web(&state)?;
    tokens(&headers).for_each(|token| web.sessions.end(token));
    let cookie = cookie("", 0, from.is_secure);
    Ok(private(reply::with_header(StatusCode::NO_CONTENT.into_response(), SET_COOKIE, &cookie)))
}

/// Who is signed in, and still known.
pub(crate) fn signed_in<'a>(state: &'a Shared, headers: &HeaderMap) -> Result<(&'a Web, Session), ApiError> {
    let web = web(state)?;
    let session = session_of(state, web, headers);
    Ok((web, session.ok_or_else(|| GraphError::unauthenticated("Nobody is signed in."))?))
}

/// The same where that need not be.
pub(super) fn session_of(state: &Shared, web: &Web, headers: &HeaderMap) -> Option<Session> {
    let now = state.api.clock.elapsed();
    // A page below this host can set another cookie of the name; one that is good counts.
    let found = tokens(headers).find_map(|token| web.sessions.find(token, now));
    found.filter(|session| state.api.directory.load().users.contains_key(&session.user))
}

pub(super) fn web(state: &Shared) -> Result<&Web, ApiError> {
    state.api.web.as_ref().ok_or_else(|| GraphError::internal().into())
}

/// Cookies of one request that are looked at.
const MAX_COOKIES: usize = 64;

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).take(MAX_COOKIES);
    pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

fn cookie(token: &str, seconds: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn shown(directory: &IndexedDirectory, user: &model::UserId) -> Result<Value, ApiError> {
    let user: &User = directory.users.get(user).ok_or_else(GraphError::internal)?;
    Ok(json!({"user": shown_user(user), "administrator": user.is_administrator}))
}

pub(super) fn shown_user(user: &User) -> Value {
    json!({"id": user.id.as_str(), "name": user.name, "address": user.address})
}

/// Nothing of a session is kept by caches.
pub(crate) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let headers = |lines: &[&'static str]| {
            lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect::<HeaderMap>()
        };
        let found = |lines: &[&'static str]| tokens(&headers(lines)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found(&["a=b; hookswitch_session=x"]), ["x"]);
        assert_eq!(found(&["a=b", "hookswitch_session=x; hookswitch_session=y"]), ["x", "y"]);
        assert!(found(&["hookswitch_sessions=x; xhookswitch_session=y; hookswitch_session"]).is_empty());
    }

    #[test]
    fn no_script_and_no_other_site_gets_the_cookie() {
        let plain = cookie("x", 60, false);
        assert_eq!(plain, "hookswitch_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
        assert_eq!(cookie("x", 60, true), format!("{plain}; Secure"));
    }
}
