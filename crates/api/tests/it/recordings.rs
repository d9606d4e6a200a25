//! Fetching recordings.

use std::path::PathBuf;
use std::time::Duration;

use api::{RECORDINGS_PATH, Settings};
use axum::body::Body;
use http::Request;
use model::{CallId, OperationId, RecordingId};
use sha2::{Digest, Sha256};
use store::Recording;
use uuid::Uuid;

use crate::app::{Answer, App, NOW, refused, settings};

const ID: Uuid = Uuid::from_u128(0x0e);

/// An app with one recording in a folder of its own, which goes with it.
struct Recorded {
    app: App,
    dir: PathBuf,
}

impl Recorded {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("hookswitch-api-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("one.wav"), vec![7; 200_000]).unwrap();
        let app = App::with(Settings { recordings_dir: dir.clone(), ..settings() });
        app.store.recordings.lock().unwrap().push(Recording {
            id: RecordingId::from(ID),
            call: CallId::from(Uuid::from_u128(1)),
            operation: OperationId::from(Uuid::from_u128(2)),
            path: "one.wav".to_owned(),
            token_sha256: Sha256::digest(b"its-token").into(),
            created_at: NOW,
            expires_at: NOW.after(Duration::from_secs(60)),
        });
        Self { app, dir }
    }

    async fn fetch(&self, id: &str, token: Option<&str>) -> Answer {
        let mut request = Request::builder().uri(format!("{RECORDINGS_PATH}/{id}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.app.send(request.body(Body::empty()).unwrap()).await
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[tokio::test]
async fn a_recording_is_fetched_with_its_own_token() {
    let recorded = Recorded::new("fetched");
    let answer = recorded.fetch(&ID.to_string(), Some("its-token")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("content-length"), "200000");
    assert_eq!(answer.body, vec![7; 200_000]);
}

#[tokio::test]
async fn no_other_token_fetches_it() {
    let recorded = Recorded::new("guarded");
    let access_token = recorded.app.token();
    for token in [None, Some("another"), Some(access_token.as_str())] {
        let answer = recorded.fetch(&ID.to_string(), token).await;
        assert_eq!(answer.error(), refused(401, "InvalidAuthenticationToken"), "{token:?}");
    }
}

#[tokio::test]
async fn what_is_unknown_or_over_is_not_found() {
    let recorded = Recorded::new("over");
    for id in [Uuid::from_u128(0x0f).to_string(), "one.wav".to_owned(), "..%2Fone.wav".to_owned()] {
        let answer = recorded.fetch(&id, Some("its-token")).await;
        assert_eq!(answer.error(), refused(404, "itemNotFound"), "{id}");
    }
    *recorded.app.clock.0.lock().unwrap() = Duration::from_secs(60);
    assert_eq!(recorded.fetch(&ID.to_string(), Some("its-token")).await.status, 404);
}

#[tokio::test]
async fn a_recording_whose_file_is_gone_is_not_found() {
    let recorded = Recorded::new("gone");
    std::fs::remove_file(recorded.dir.join("one.wav")).unwrap();
    let answer = recorded.fetch(&ID.to_string(), Some("its-token")).await;
    assert_eq!(answer.error(), refused(404, "itemNotFound"));
}
