//! HTTP for bots: the Graph calls API, tokens, health and metrics.
//!
//! [`router`] makes a service of an [`Api`]. Every request passes `front`, which brings its path into one spelling,
//! gives it its ids, writes the bodies of errors and the line in the log; behind it an endpoint is a file.
//!
//! | paths | module |
//! |---|---|
//! | `/v1.0/communications/calls…` (also `/beta`, `/app/calls`, qualified names, OData keys) | `calls`, `operations`, `participants`, `routing_groups` |
//! | `/v1.0/users/{id}/onlineMeetings…`, `/v1.0/communications/onlineMeetings…` | `online_meetings` |
//! | `/v1.0/recordings/{id}`, fetched with the token of its operation | `recordings` |
//! | `/{tenant}/oauth2/v2.0/token`, `/{tenant}/oauth2/token`, discovery, keys | `tokens` |
//! | `/v1/.well-known/OpenIdConfiguration` and `/v1/.well-known/keys`, for receivers of notifications | `notifications` |
//! | `/hookswitch/v1/calls/{id}/notifications`: what became of a call's notifications | `notifications` |
//! | `/hookswitch/v1/calls/{id}/dominantSpeaker`: who speaks | `calls` |
//! | `/hookswitch/v1/calls/{id}/media…`: media that applications host | `app_media` |
//! | `/hookswitch/v1/web/…`: people who sign in with a browser, and their telephones | `web` |
//! | `/hookswitch/v1/console/…`: what administrators see | `console` |
//! | `/lab/v1/calls…`: calls of scripted users, where the lab is on | `lab` |
//! | `/phone`, `/assets/…`: pages for people | the crate `pages` |
//! | `/hookswitch/v1/openapi.json`, `/healthz`, `/readyz`, `/metrics` | `operators` |

mod api;
mod app_media;
mod call_control;
mod callees;
mod caller;
mod calls;
mod console;
mod content_sharing;
mod context;
mod error;
mod extract;
mod forwarded;
mod front;
mod lab;
mod node_calls;
mod notifications;
mod online_meetings;
mod operations;
mod operators;
mod participants;
mod path;
mod rate_limit;
mod recordings;
mod reply;
mod router;
mod routing_groups;
mod state;
mod tokens;
mod web;

pub use api::{
    Api, AppLimits, Clock, Connection, EndedRequest, MAX_BODY_BYTES, Observer, Operations, Settings,
    TokenService,
};
pub use call_control::{Attach, CallControl, CallFault, CallFuture};
pub use console::{Console, Resend};
pub use forwarded::{AddressRange, ForwardedHeader, Proxies};
pub use lab::{Lab, LabCall, LabFault, LabFuture, LabMoment, LabState, LabStep, LabVerdict};
pub use online_meetings::{join_meeting_id, meeting_id};
pub use recordings::RECORDINGS_PATH;
pub use router::router;
pub use web::{Web, WebSessions};
