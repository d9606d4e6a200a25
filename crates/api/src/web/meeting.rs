use axum::extract::{Request, State};
use axum::response::Response;
use graph_wire::{GraphError, JoinUrl};
use http::{HeaderMap, StatusCode, Uri};
use meeting_wire::{FromPage, NotUnderstood, ToPage};
use model::{OnlineMeeting, User};
use node::MeetingVisitor;
use serde_json::json;
use store::MeetingKey;
use tokio::time::Instant;

use super::guesses::network;
use super::session::{private, session_of, shown_user, web};
use super::sessions::Session;
use super::socket::{Asked, Language, Leave, Unread, member_of, name_of, refused};
use super::{SameOrigin, Web};
use crate::error::ApiError;
use crate::reply;
use crate::state::{AppState, Shared};

/// What is said over the socket of a meeting's page.
struct OfMeetings;

impl Language for OfMeetings {
    type From = FromPage;
    type To = ToPage;

    fn read(text: &str) -> Result<FromPage, Unread> {
        FromPage::parse(text).map_err(|why| {
            if why == NotUnderstood::NoObject { Unread::NoObject } else { Unread::Other(why.to_string()) }
        })
    }

    fn write(message: &ToPage) -> String {
        message.to_json()
    }

    fn error(message: String) -> ToPage {
        ToPage::Error { message }
    }
}

/// `GET /hookswitch/v1/web/meeting?url=…`: what the page shows before anybody comes in.
pub(crate) async fn meeting(
    State(state): State<AppState>,
    from: SameOrigin,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Found { web, meeting, session } = look_up(&state, &from, &uri, &headers).await?;
    let directory = state.api.directory.load();
    let user = session
        .and_then(|session| directory.users.get(&session.user))
        .filter(|user| user.tenant == meeting.tenant);
    let shown = json!({
        "meeting": {
            "subject": meeting.subject,
            "organizer": meeting.organizer_name,
            "startsAt": meeting.starts_at.to_string(),
            "endsAt": meeting.ends_at.to_string(),
        },
        "user": user.map(shown_user),
        "guests": web.lets_guests_in,
    });
    Ok(private(reply::json(StatusCode::OK, &shown)))
}

/// `GET /hookswitch/v1/web/meeting/socket?url=…&page=…`: the socket of a meeting's page.
pub(crate) async fn meeting_socket(
    State(state): State<AppState>,
    from: SameOrigin,
    mut request: Request,
) -> Result<Response, ApiError> {
    let name = name_of(request.uri().query().unwrap_or_default(), "page")?;
    let Found { web, meeting, session } = look_up(&state, &from, request.uri(), request.headers()).await?;
    let session = session.filter(|session| is_of_tenant(&state, session, &meeting));
    let (visitor, leave) = match session {
        Some(session) => {
            let leave = Leave::of(&session, state.api.clock.elapsed());
            (MeetingVisitor::User(session.user), leave)
        }
        None if web.lets_guests_in => (MeetingVisitor::Guest(network(from.source)), Leave::of_guest()),
        None => {
            return Err(GraphError::unauthenticated("Nobody of the meeting's tenant is signed in.").into());
        }
    };
    let asked = Asked::of(&mut request)?;
    let page = web.pages.attach_to_meeting(&meeting, &visitor, &name).await.map_err(refused)?;
    Ok(asked.grant::<OfMeetings>(page, leave, web.sessions.count_socket()))
}

/// A user of another tenant is a stranger here.
fn is_of_tenant(state: &Shared, session: &Session, meeting: &OnlineMeeting) -> bool {
    let directory = state.api.directory.load();
    let user: Option<&User> = directory.users.get(&session.user);
    user.is_some_and(|user| user.tenant == meeting.tenant)
}

/// The meeting that was looked up, and who asks for it.
struct Found<'a> {
    web: &'a Web,
    meeting: OnlineMeeting,
    /// Of a user of any tenant.
    session: Option<Session>,
}

/// The meeting whose address the page has.
async fn look_up<'a>(
    state: &'a Shared,
    from: &SameOrigin,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Found<'a>, ApiError> {
    let web = web(state)?;
    let session = session_of(state, web, headers);
    // Whoever has signed in is known, and does not wait because others of his network ask too often.
    if session.is_none() {
        state.web_look_ups.begin(from.source, Instant::now()).map_err(GraphError::too_many_requests)?;
    }
    let url = member_of(uri.query().unwrap_or_default(), "url").and_then(JoinUrl::parse);
    let found = match url {
        Some(url) => {
            let key = MeetingKey::Thread(url.thread_id.clone());
            let found = state.api.store.meeting(url.tenant.clone(), key).await?;
            found.filter(|meeting| url.is_of(meeting))
        }
        None => None,
    };
    let meeting = found.ok_or_else(|| GraphError::meeting_not_found("No meeting has this address."))?;
    Ok(Found { web, meeting, session })
}
