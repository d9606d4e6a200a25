//! People with browsers: who signs in, the socket of the page that is a telephone, and that of a meeting's page.
//!
//! | request | |
//! |---|---|
//! | `POST /hookswitch/v1/web/session` | signs in: `{"user":"john","password":"…"}`; the session is a cookie |
//! | `GET /hookswitch/v1/web/session` | who is signed in |
//! | `DELETE /hookswitch/v1/web/session` | signs out |
//! | `GET /hookswitch/v1/web/phone?phone=…` | a WebSocket for what [`phone_wire`] says |
//! | `GET /hookswitch/v1/web/meeting?url=…` | what there is to know of a meeting before one comes in, by its address |
//! | `GET /hookswitch/v1/web/meeting/socket?url=…&page=…` | a WebSocket for what [`meeting_wire`] says |
//!
//! Pages of other origins are refused, whatever cookies a browser sends along.

mod guesses;
mod look_ups;
mod meeting;
mod origin;
mod phone;
mod session;
mod sessions;
mod socket;

use std::sync::Arc;

use node::Pages;

pub(crate) use self::guesses::Guesses;
pub(crate) use self::look_ups::LookUps;
pub(crate) use self::meeting::{meeting, meeting_socket};
pub(crate) use self::origin::SameOrigin;
pub(crate) use self::phone::phone;
pub(crate) use self::session::{private, sign_in, sign_out, signed_in, who};
pub(crate) use self::sessions::Session;
pub use self::sessions::WebSessions;

/// What it takes to serve people with browsers.
pub struct Web {
    /// The way to the pages' calls.
    pub pages: Pages,
    /// Who is signed in.
    pub sessions: Arc<WebSessions>,
    /// Whether somebody who is not signed in may come to meetings.
    pub lets_guests_in: bool,
}
