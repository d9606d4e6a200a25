use std::error::Error;
use std::sync::Arc;

use model::{AppId, TenantId};
use store::BoxFuture;
use thiserror::Error;

/// Makes the tokens that prove who notifies.
///
/// It is asked for each attempt, so it keeps a token for as long as that one is good.
pub trait BearerSource: Send + Sync {
    /// A token for an app, about a tenant, without the word `Bearer`.
    fn bearer<'a>(
        &'a self,
        app: &'a AppId,
        tenant: &'a TenantId,
    ) -> BoxFuture<'a, Result<Arc<str>, BearerError>>;
}

/// No token could be made.
#[derive(Debug, Error)]
#[error("failed to make a token for the receiver")]
pub struct BearerError(#[source] pub Box<dyn Error + Send + Sync>);
