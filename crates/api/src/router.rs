use std::sync::Arc;

use axum::routing::{any, delete, get, post};
use axum::{Router, middleware};

use crate::state::{AppState, Shared};
use crate::{
    Api, app_media, calls, console, content_sharing, front, lab, notifications, online_meetings, operations,
    operators, participants, recordings, routing_groups, tokens, web,
};

/// Makes a service of the endpoints.
///
/// The server that runs it bounds headers, connections and time, and puts a [`crate::Connection`] into the extensions of
/// each request.
pub fn router(api: Api) -> Router {
    let (serves_tokens, has_lab, has_web) = (api.tokens.is_some(), api.lab.is_some(), api.web.is_some());
    let has_console = api.console.is_some();
    let state = Arc::new(Shared::new(api));
    let mut routes = Router::new()
        .route("/v1.0/communications/calls", post(calls::create))
        .route("/v1.0/communications/calls/{call}", get(calls::read).delete(calls::delete))
        .route("/v1.0/communications/calls/{call}/keepAlive", post(calls::keep_alive))
        .route("/v1.0/communications/calls/{call}/playPrompt", post(calls::play_prompt))
        .route("/v1.0/communications/calls/{call}/recordResponse", post(calls::record_response))
        .route("/v1.0/communications/calls/{call}/subscribeToTone", post(calls::subscribe_to_tone))
        .route(
            "/v1.0/communications/calls/{call}/cancelMediaProcessing",
            post(calls::cancel_media_processing),
        )
        .route("/v1.0/communications/calls/{call}/sendDtmfTones", post(calls::send_dtmf_tones))
        .route(&below("answer"), post(calls::answer))
        .route(&below("reject"), post(calls::reject))
        .route(&below("redirect"), post(calls::redirect))
        .route(&below("transfer"), post(calls::transfer))
        .route("/v1.0/communications/calls/{call}/operations", get(operations::list))
        .route("/v1.0/communications/calls/{call}/operations/{operation}", get(operations::read))
        .merge(conference_routes())
        .merge(app_media_routes())
        .merge(meeting_routes("/v1.0/communications"))
        .merge(meeting_routes("/v1.0/users/{user}"))
        .route("/v1.0/me/onlineMeetings", any(online_meetings::me))
        .route("/v1.0/me/onlineMeetings/{*meeting}", any(online_meetings::me))
        .route("/v1.0/recordings/{recording}", get(recordings::read))
        .route("/v1/.well-known/OpenIdConfiguration", get(notifications::configuration))
        .route("/v1/.well-known/openidconfiguration", get(notifications::configuration))
        .route("/v1/.well-known/openid-configuration", get(notifications::configuration))
        .route("/v1/.well-known/keys", get(notifications::keys))
        .route("/hookswitch/v1/calls/{call}/notifications", get(notifications::list))
        .route("/hookswitch/v1/calls/{call}/dominantSpeaker", get(calls::dominant_speaker))
        .route("/hookswitch/v1/openapi.json", get(operators::openapi))
        .route("/healthz", get(operators::health))
        .route("/readyz", get(operators::ready))
        .route("/metrics", get(operators::metrics));
    if serves_tokens {
        routes = routes
            .route("/{tenant}/oauth2/v2.0/token", post(tokens::grant_v2))
            .route("/{tenant}/oauth2/token", post(tokens::grant_v1))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(tokens::configuration))
            .route("/{tenant}/.well-known/openid-configuration", get(tokens::configuration))
            .route("/{tenant}/discovery/v2.0/keys", get(tokens::keys))
            .route("/{tenant}/discovery/keys", get(tokens::keys));
    }
    if has_lab {
        routes = routes
            .route("/lab/v1/calls", post(lab::place))
            .route("/lab/v1/calls/{call}", get(lab::read).delete(lab::delete))
            .route("/lab/v1/calls/{call}/heard", get(lab::heard));
    }
    if has_web {
        routes = routes.merge(web_routes());
    }
    if has_web && has_console {
        routes = routes.merge(console::routes());
    }
    let routes = routes
        .route_layer(middleware::from_fn(front::note_route))
        .fallback(front::no_such_resource)
        .method_not_allowed_fallback(front::method_not_allowed)
        .with_state(Arc::clone(&state));
    front::wrap(routes, state)
}

/// What people with browsers ask for.
fn web_routes() -> Router<AppState> {
    let session = get(web::who).post(web::sign_in).delete(web::sign_out);
    Router::new()
        .route("/hookswitch/v1/web/session", session)
        .route("/hookswitch/v1/web/phone", get(web::phone))
        .route("/hookswitch/v1/web/meeting", get(web::meeting))
        .route("/hookswitch/v1/web/meeting/socket", get(web::meeting_socket))
        .merge(pages::routes())
}

/// What applications ask of the conference that their call is in.
fn conference_routes() -> Router<AppState> {
    Router::new()
        .merge(beta_routes())
        .route(&below("mute"), post(calls::mute))
        .route(&below("unmute"), post(calls::unmute))
        .route(&below("changeScreenSharingRole"), post(calls::change_screen_sharing_role))
        .route(&below("updateRecordingStatus"), post(calls::update_recording_status))
        .route(&below("addLargeGalleryView"), post(calls::add_large_gallery_view))
        .route(&below("participants"), get(participants::list))
        .route(&below("participants/invite"), post(participants::invite))
        .route(&below("participants/{participant}"), get(participants::read).delete(participants::delete))
        .route(&below("participants/{participant}/mute"), post(participants::mute))
        .route(&below("participants/{participant}/startHoldMusic"), post(participants::start_hold_music))
        .route(&below("participants/{participant}/stopHoldMusic"), post(participants::stop_hold_music))
        .route(&below("contentSharingSessions"), get(content_sharing::list))
        .route(&below("contentSharingSessions/{session}"), get(content_sharing::read))
        .route(&below("audioRoutingGroups"), get(routing_groups::list).post(routing_groups::create))
        .route(
            &below("audioRoutingGroups/{group}"),
            get(routing_groups::read).patch(routing_groups::update).delete(routing_groups::delete),
        )
}

/// The same for what only beta has.
fn beta_routes() -> Router<AppState> {
    Router::new()
        .route(&below("participants/muteAll"), post(participants::mute_all))
        .route(&below("participants/admitAllFromLobby"), post(participants::admit_all_from_lobby))
        .route(&below("participants/{participant}/admitFromLobby"), post(participants::admit_from_lobby))
        .route(&below("participants/{participant}/removeFromLobby"), post(participants::remove_from_lobby))
        .route_layer(middleware::from_fn(front::beta_only))
}

/// How the media of applications comes to their calls.
fn app_media_routes() -> Router<AppState> {
    let media = |path: &str| format!("/hookswitch/v1/calls/{{call}}/media{path}");
    let whip = Router::new()
        .route(&media("/whip/{ticket}"), post(app_media::offer).options(app_media::options))
        .route(&media("/whip/session/{session}"), delete(app_media::end).options(app_media::session_options))
        .route_layer(middleware::map_response(app_media::for_pages));
    Router::new()
        .route(&media(""), post(app_media::media))
        .route(&media("/socket/{ticket}"), get(app_media::socket))
        .merge(whip)
}

/// Meetings below `owner`.
fn meeting_routes(owner: &str) -> Router<AppState> {
    let one = get(online_meetings::read).patch(online_meetings::update).delete(online_meetings::delete);
    Router::new()
        .route(&format!("{owner}/onlineMeetings"), get(online_meetings::find).post(online_meetings::create))
        .route(&format!("{owner}/onlineMeetings/createOrGet"), post(online_meetings::create_or_get))
        .route(&format!("{owner}/onlineMeetings/{{meeting}}"), one)
}

fn below(path: &str) -> String {
    format!("/v1.0/communications/calls/{{call}}/{path}")
}
