//! The line that each request leaves in the log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::app::{App, BOT, CALLS, CONTOSO, peer_to_peer};

/// Keeps events at INFO and above as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[tokio::test]
async fn a_request_leaves_one_line_without_its_token() {
    let (app, lines) = (App::new(), Lines::default());
    let token = app.token();
    let guard = tracing::subscriber::set_default(lines.clone());
    let answer = app.post_as(&token, CALLS, &peer_to_peer()).await;
    drop(guard);

    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    for part in [
        "INFO ",
        "answered POST /v1.0/communications/calls with 201",
        &format!("app.id=\"{BOT}\""),
        answer.header("request-id"),
        "http.duration_us=",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains(&token));
}

#[tokio::test]
async fn a_refused_secret_is_not_logged() {
    let (app, lines) = (App::new(), Lines::default());
    let guard = tracing::subscriber::set_default(lines.clone());
    let form = format!(
        "grant_type=client_credentials&client_id={BOT}&client_secret=my-guess\
         &scope=https://graph.microsoft.com/.default"
    );
    let request = http::Request::builder().method("POST").uri(format!("/{CONTOSO}/oauth2/v2.0/token"));
    let answer = app.send(request.body(axum::body::Body::from(form)).unwrap()).await;
    drop(guard);

    assert_eq!(answer.status, 401);
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("answered POST /{tenant}/oauth2/v2.0/token with 401"), "{lines:?}");
    assert!(!lines[0].contains("my-guess"));
}
