use std::time::Duration;

use axum::response::{IntoResponse, Response};
use call_engine::Rejection;
use graph_wire::{GraphError, InvalidRequest};
use http::StatusCode;
use identity::TokenError;
use node::Denied;
use store::StoreError;

use crate::CallFault;

/// A refusal or failure, on its way to [`crate::front`], which writes the body: only there are the request's ids known.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(pub(crate) GraphError);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<GraphError> for ApiError {
    fn from(error: GraphError) -> Self {
        Self(error)
    }
}

impl From<InvalidRequest> for ApiError {
    fn from(invalid: InvalidRequest) -> Self {
        Self(invalid.into())
    }
}

/// How long to wait where nothing better is known. Arbitrary: what is busy is busy for moments.
const MOMENT: Duration = Duration::from_secs(1);

impl From<CallFault> for ApiError {
    fn from(fault: CallFault) -> Self {
        Self(match fault {
            CallFault::BadBlob(what) => GraphError::invalid_argument(format!("mediaConfig.blob: {what}")),
            CallFault::Busy | CallFault::Draining | CallFault::MediaUnavailable => {
                GraphError::unavailable(MOMENT)
            }
            CallFault::Denied(denied) => denied_by_trunks(denied),
            CallFault::NotFound => GraphError::call_not_found(),
            CallFault::OtherTenant => GraphError::other_tenants_call(),
            CallFault::Rejected(rejection) => refused(rejection),
            CallFault::Unavailable(source) => {
                tracing::error!(error = %source, "a request could not be stored");
                GraphError::unavailable(MOMENT)
            }
            CallFault::UnusableOffer(why) => GraphError::wrong_media_mode(why),
        })
    }
}

/// How long to wait where there are too many calls: they end when people hang up.
const CALLS_END: Duration = Duration::from_secs(5);

fn denied_by_trunks(denied: Denied) -> GraphError {
    match denied {
        Denied::NoInstance | Denied::NoNumber | Denied::OtherAppsInstance => {
            GraphError::no_application_instance(sentence(denied))
        }
        Denied::ForbiddenPrefix | Denied::NoTrunk => GraphError::number_not_enabled(sentence(denied)),
        Denied::BudgetSpent => GraphError::budget_spent(),
        Denied::TooFast { retry_after } => GraphError::too_many_requests(retry_after),
        Denied::TooMany => GraphError::too_many_phone_calls(CALLS_END),
        Denied::AllDown => GraphError::unavailable(CALLS_END),
    }
}

fn sentence(denied: Denied) -> String {
    let text = denied.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn refused(rejection: Rejection) -> GraphError {
    match rejection {
        Rejection::Ended => GraphError::call_not_found(),
        Rejection::GroupExists => GraphError::conflict("There is an audio routing group of that id already."),
        Rejection::GroupInvalid => GraphError::invalid_argument(
            "An audio routing group has one source, and one other receiver, or in a multicast one or more.",
        ),
        Rejection::GroupNotFound => GraphError::item_not_found("The call has no such audio routing group."),
        Rejection::HoldBusy => GraphError::conflict("Another participant is on hold; one can be at a time."),
        Rejection::NeedsAppHostedMedia => {
            GraphError::wrong_media_mode("The action is for calls whose media the application hosts.")
        }
        Rejection::NeedsServiceHostedMedia => {
            GraphError::wrong_media_mode("The action is for calls whose media the service hosts.")
        }
        Rejection::NoInstance => GraphError::no_application_instance(
            "Phone numbers are called by calls of an application instance, and this call has none.",
        ),
        Rejection::NotEstablished => GraphError::invalid_state("The call is not established."),
        Rejection::NotGroupCall => GraphError::not_a_group_call(),
        Rejection::NotIncoming => GraphError::invalid_state("The call is not incoming."),
        Rejection::NotOnHold => GraphError::invalid_state("The participant is not on hold."),
        Rejection::NotPresenter => {
            GraphError::forbidden("The application's role in the meeting does not allow that.")
        }
        Rejection::ParticipantNotFound => GraphError::participant_not_found(),
        Rejection::TooManyGroups => {
            GraphError::invalid_argument("The call has as many audio routing groups as it may have.")
        }
        Rejection::TooManyOperations => GraphError::too_many_requests(MOMENT),
        Rejection::TooManyParticipants => {
            GraphError::invalid_argument("The call has as many participants as it may have.")
        }
        Rejection::TooManyRedirects => GraphError::too_many_hops(),
        Rejection::TransfereeMissing => {
            GraphError::invalid_argument("A transfer out of a group call needs transferee.")
        }
        Rejection::TransferToItself => {
            GraphError::invalid_argument("transferTarget.replacesCallId: a call cannot replace itself.")
        }
        Rejection::TransferUnderWay => GraphError::transfer_under_way(),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self(match error {
            StoreError::Busy | StoreError::Closed => GraphError::unavailable(MOMENT),
            StoreError::Conflict { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Failed { .. }
            | StoreError::Invalid(_)
            | StoreError::Taken(_) => {
                tracing::error!(error = %error, "the store failed a request");
                GraphError::internal()
            }
        })
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let message = match error {
            TokenError::KeysUnavailable => return Self(GraphError::unavailable(MOMENT)),
            TokenError::BadSignature => "The access token's signature is not valid.",
            TokenError::Expired => "The access token has expired.",
            TokenError::Malformed => "The access token is malformed.",
            TokenError::Missing => "The access token is missing: send 'Authorization: Bearer {token}'.",
            TokenError::NotYetValid => "The access token is not valid yet.",
            TokenError::UnknownIssuer => "The access token's issuer is not trusted here.",
            TokenError::UnknownKey => "The access token is signed with an unknown key.",
            TokenError::WrongAudience => "The access token is for another audience.",
        };
        Self(GraphError::unauthenticated(message))
    }
}
