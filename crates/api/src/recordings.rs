use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use identity::TokenError;
use store::Recording;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use crate::caller::bearer;
use crate::error::ApiError;
use crate::extract::{RecordingInPath, recording_not_found};
use crate::state::{AppState, Shared};

/// The path below this server's address that recordings are fetched under; the id follows after a slash.
pub const RECORDINGS_PATH: &str = "/v1.0/recordings";

/// Read at a time; arbitrary, a few dozen reads for the longest recording.
const CHUNK_BYTES: usize = 64 * 1024;

/// `GET /v1.0/recordings/{id}` with the operation's `recordingAccessToken`: the WAV, read as it is sent.
pub(crate) async fn read(
    State(state): State<AppState>,
    headers: HeaderMap,
    RecordingInPath(id): RecordingInPath,
) -> Result<Response, ApiError> {
    let token = bearer(&headers).ok_or(TokenError::Missing)?;
    let now = state.api.clock.now();
    let kept = state.api.store.recording(id).await?.filter(|recording| now < recording.expires_at);
    let recording = kept.ok_or_else(recording_not_found)?;
    if !identity::is_sha256_of(token, &recording.token_sha256) {
        return Err(GraphError::unauthenticated("The access token is not the recording's.").into());
    }
    let (file, length) = open(&state, &recording).await?;
    let mut response = Response::new(Body::from_stream(ReaderStream::with_capacity(file, CHUNK_BYTES)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

async fn open(state: &Shared, recording: &Recording) -> Result<(File, u64), ApiError> {
    let path = state.api.settings.recordings_dir.join(&recording.path);
    let opened = async {
        let file = File::open(&path).await?;
        let length = file.metadata().await?.len();
        Ok::<_, std::io::Error>((file, length))
    };
    opened.await.map_err(|error| {
        tracing::error!(recording.id = %recording.id, error = %error, "a recording's file is not readable");
        recording_not_found()
    })
}
