//! What logs show, and what they never show.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use telemetry::{LogError, LogFormat, Pii, subscriber};
use tracing_subscriber::fmt::MakeWriter;

const NUMBER: &str = "+12345678901";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn logged(format: LogFormat, levels: &str, events: impl FnOnce()) -> String {
    let lines = Lines::default();
    let subscriber = subscriber(format, levels, lines.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, events);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn no_format_shows_what_is_about_a_person() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "only shown")]
    struct Callee {
        number: Pii<String>,
    }
    let pii = Pii::new(NUMBER);
    let callee = Callee { number: Pii::new(NUMBER.to_owned()) };
    for format in [LogFormat::Human { is_coloured: true }, LogFormat::Json] {
        let text = logged(format, "trace", || {
            let span = tracing::info_span!("call", number = %pii);
            let _entered = span.enter();
            tracing::info!(number = %pii, again = ?pii, ?callee, "calling {pii} {pii:?} {pii:>20} {callee:#?}");
        });
        assert!(text.contains("[redacted]"), "{text}");
        assert!(!text.contains(NUMBER), "{text}");
    }
    assert_eq!(*pii.reveal(), NUMBER);
}

#[test]
fn json_has_fields_beside_the_message() {
    let text = logged(LogFormat::Json, "info", || tracing::info!(call.id = "c1", "a call was made"));
    assert_eq!(text.lines().count(), 1);
    for part in
        ["\"message\":\"a call was made\"", "\"call.id\":\"c1\"", "\"level\":\"INFO\"", "\"timestamp\":"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn levels_can_differ_by_part() {
    let text = logged(LogFormat::Human { is_coloured: false }, "warn,sip_proto=debug", || {
        tracing::info!("too low");
        tracing::warn!("high enough");
        tracing::debug!(target: "sip_proto", "asked for");
    });
    assert!(!text.contains("too low"), "{text}");
    assert!(text.contains("high enough") && text.contains("asked for"), "{text}");
}

#[test]
fn wrong_levels_are_named() {
    let error = subscriber(LogFormat::Json, "info,=,", io::sink).err().unwrap();
    assert!(matches!(error, LogError::Levels { .. }));
    assert!(error.to_string().contains("info,=,"), "{error}");
}
