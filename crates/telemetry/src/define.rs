use std::sync::Arc;

use metrics::{Label, Unit, counter, with_local_recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

/// A metric, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The name that Prometheus sees.
    pub name: &'static str,
    /// How it is measured.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in Markdown, with a space before each line.
    pub help: &'static str,
}

impl Described {
    /// The help as one line without surrounding space.
    pub fn summary(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn register(&self) {
        let (name, help) = (self.name, self.summary());
        match self.kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, Unit::Seconds, help),
        }
    }
}

/// How a metric is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is as it is at the moment.
    Gauge,
    /// Durations in seconds, by bucket.
    Histogram,
}

/// Counters that differ in their labels.
///
/// The values of labels come from small sets that this server defines, such as the templates of routes; what a client
/// wrote is none, since each new value costs memory until the process ends.
#[derive(Clone)]
pub struct Counters {
    pub(crate) recorder: Arc<PrometheusRecorder>,
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str],
}

impl Counters {
    /// Counts one. `values` are those of the labels, in the order in which they are described.
    pub fn increment(&self, values: &[&str]) {
        let labels = self.labels(values);
        with_local_recorder(&*self.recorder, || counter!(self.name, labels).increment(1));
    }

    /// Brings one that somebody else counts up to date.
    pub fn absolute(&self, values: &[&str], count: u64) {
        let labels = self.labels(values);
        with_local_recorder(&*self.recorder, || counter!(self.name, labels).absolute(count));
    }

    fn labels(&self, values: &[&str]) -> Vec<Label> {
        debug_assert_eq!(self.labels.len(), values.len(), "a value for each label of {}", self.name);
        let labelled = self.labels.iter().zip(values);
        labelled.map(|(label, value)| Label::new(*label, (*value).to_owned())).collect()
    }
}

/// Makes the type of a metric.
pub(crate) trait Make {
    const KIND: Kind;
    fn make(recorder: &Arc<PrometheusRecorder>, name: &'static str, labels: &'static [&'static str]) -> Self;
}

impl Make for metrics::Counter {
    const KIND: Kind = Kind::Counter;

    fn make(_: &Arc<PrometheusRecorder>, name: &'static str, _: &'static [&'static str]) -> Self {
        let counter = counter!(name);
        // A counter that is there from the start at 0 shows its first increase.
        counter.absolute(0);
        counter
    }
}

impl Make for metrics::Gauge {
    const KIND: Kind = Kind::Gauge;

    fn make(_: &Arc<PrometheusRecorder>, name: &'static str, _: &'static [&'static str]) -> Self {
        let gauge = metrics::gauge!(name);
        gauge.set(0.0);
        gauge
    }
}

impl Make for metrics::Histogram {
    const KIND: Kind = Kind::Histogram;

    fn make(_: &Arc<PrometheusRecorder>, name: &'static str, _: &'static [&'static str]) -> Self {
        metrics::histogram!(name)
    }
}

impl Make for Counters {
    const KIND: Kind = Kind::Counter;

    fn make(recorder: &Arc<PrometheusRecorder>, name: &'static str, labels: &'static [&'static str]) -> Self {
        Self { recorder: Arc::clone(recorder), name, labels }
    }
}

/// Defines the areas: their structs, how they are made, and their descriptions.
macro_rules! areas {
    ($(
        $(#[doc = $area_doc:literal])+
        $area:ident: $struct:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $name:literal $(by $($label:literal),+)?;
            )+
        }
    )+) => {
        /// Every metric of the server, by area.
        ///
        /// Clones share their values. Two of these made apart share nothing, so that two servers in one process do not
        /// count for each other.
        #[derive(Clone)]
        pub struct Metrics {
            $(
                $(#[doc = $area_doc])+
                pub $area: $struct,
            )+
            recorder: Arc<PrometheusRecorder>,
            handle: PrometheusHandle,
        }

        $(
            $(#[doc = $area_doc])+
            #[derive(Clone)]
            pub struct $struct {
                $(
                    $(#[doc = $doc])+
                    pub $field: $type,
                )+
            }
        )+

        impl Metrics {
            fn make(recorder: &Arc<PrometheusRecorder>, handle: PrometheusHandle) -> Self {
                Self {
                    $(
                        $area: $struct {
                            $( $field: <$type as Make>::make(recorder, $name, &[$($($label),+)?]), )+
                        },
                    )+
                    recorder: Arc::clone(recorder),
                    handle,
                }
            }
        }

        const DESCRIBED: &[Described] = &[
            $( $(
                Described {
                    name: $name,
                    kind: <$type as Make>::KIND,
                    labels: &[$($($label),+)?],
                    help: concat!($($doc),+),
                },
            )+ )+
        ];
    };
}

pub(crate) use areas;
