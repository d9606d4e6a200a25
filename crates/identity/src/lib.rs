//! Tokens: issuing, publishing keys, verifying.
//!
//! Two kinds of tokens leave this server, each with an issuer and keys of its own: access tokens, which applications
//! fetch at the [`TokenEndpoint`] and send with their requests ([`Issuer`], [`Verifier`]), and notification tokens,
//! which this server sends with every notification ([`NotificationSigner`]). The latter's keys also sign the tokens that
//! let an application join one meeting ([`MeetingToken`]), for an audience that is nobody's. Keys change by [`KeyRing`]'s rules.
//!
//! Time is an argument; randomness comes from one module. Nothing here fetches or stores: outside keys come through a
//! [`KeySource`], signing keys are handed in and out as [`StoredKey`].

mod assertion;
mod cache;
mod claims;
mod discovery;
mod failure_limit;
mod issuer;
mod key_ring;
mod meeting_token;
mod notification_signer;
mod oauth_error;
mod outside;
mod random;
mod secret;
mod secret_check;
mod signing_key;
mod token_endpoint;
mod token_request;
mod verifier;

pub use claims::{Principal, PrincipalKind};
pub use discovery::{notification_configuration, tenant_configuration};
pub use issuer::{IssuedToken, Issuer, IssuerSettings, TokenSubject};
pub use key_ring::{Jwks, KeyRing, Rotation};
pub use meeting_token::{MeetingToken, MeetingTokenError};
pub use notification_signer::{NotificationSigner, NotificationSignerSettings};
pub use oauth_error::OAuthError;
pub use outside::{ApplicationMark, KeySource, KeySourceError, KeySourceFuture, OutsideIssuer};
pub use random::{random_guid, random_text};
pub use secret::{SecretHashError, hash_secret, is_same_secret, is_sha256_of, verify_secret};
pub use signing_key::{KeyError, PublicJwk, SigningKey, StoredKey};
pub use token_endpoint::{TokenEndpoint, TokenEndpointSettings, TokenResponse};
pub use token_request::{EndpointVersion, TokenRequest};
pub use verifier::{TokenError, Verifier, VerifierSettings};
