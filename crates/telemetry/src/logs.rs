use std::io;

use tracing::Subscriber;
use tracing::subscriber::set_global_default;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people; in colour where asked for.
    Human {
        /// Whether the reader shows colours.
        is_coloured: bool,
    },
    /// A JSON object a line: `timestamp`, `level`, `target`, `message` and the event's fields beside each other, the
    /// span's fields in `span`.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The levels are not written as they should be.
    #[error(
        "failed to read the log levels {levels:?}: write a level, or levels by part such as \"info,sip_proto=debug\""
    )]
    Levels {
        /// The levels as given.
        levels: String,
        /// Why they cannot be read.
        source: ParseError,
    },
    /// Another subscriber was there first.
    #[error("failed to set up logs: they already are")]
    Twice,
}

/// Writes the events of this process to standard error from here on.
///
/// `levels` is a level, or levels by part: `info,sip_proto=debug`.
///
/// # Errors
///
/// [`LogError`] where the levels cannot be read or logs were set up before.
pub fn log_to_stderr(format: LogFormat, levels: &str) -> Result<(), LogError> {
    let subscriber = subscriber(format, levels, io::stderr)?;
    set_global_default(subscriber).map_err(|_| LogError::Twice)
}

/// What writes events to `writer`.
///
/// # Errors
///
/// [`LogError::Levels`] where the levels cannot be read.
pub fn subscriber(
    format: LogFormat,
    levels: &str,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> Result<impl Subscriber + Send + Sync, LogError> {
    let filter = EnvFilter::builder()
        .parse(levels)
        .map_err(|source| LogError::Levels { levels: levels.to_owned(), source })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human { is_coloured } => layer.with_ansi(is_coloured).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    Ok(Registry::default().with(layer.with_filter(filter)))
}
