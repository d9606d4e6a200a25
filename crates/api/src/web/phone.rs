use axum::extract::{Request, State};
use axum::response::Response;
use phone_wire::{FromPage, NotUnderstood, ToPage};

use super::SameOrigin;
use super::session::signed_in;
use super::socket::{Asked, Language, Leave, Unread, name_of, refused};
use crate::error::ApiError;
use crate::state::AppState;

/// What is said over the socket of a telephone.
struct OfPhones;

impl Language for OfPhones {
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

/// `GET /hookswitch/v1/web/phone?phone=…`: the socket of a page that is a telephone.
pub(crate) async fn phone(
    State(state): State<AppState>,
    _: SameOrigin,
    mut request: Request,
) -> Result<Response, ApiError> {
    let (web, session) = signed_in(&state, request.headers())?;
    let phone = name_of(request.uri().query().unwrap_or_default(), "phone")?;
    let asked = Asked::of(&mut request)?;
    // Asked for before the answer, so that whoever has too many pages is told in a way that scripts can read.
    let page = web.pages.attach(&session.user, &phone).await.map_err(refused)?;
    let leave = Leave::of(&session, state.api.clock.elapsed());
    Ok(asked.grant::<OfPhones>(page, leave, web.sessions.count_socket()))
}
