use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// What a bench found, and how.
pub(super) struct Report {
    pub(super) name: &'static str,
    /// How it was measured; a sentence a line.
    pub(super) method: Vec<String>,
    pub(super) figures: Vec<Figure>,
}

/// One measured figure.
pub(super) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    target: Option<Target>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Below(f64),
    Exactly(f64),
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, target: None }
    }

    pub(super) fn millis(name: impl Into<String>, value: Duration) -> Self {
        Self::new(name, value.as_secs_f64() * 1_000.0, "ms")
    }

    pub(super) fn of(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Below(bound) => value < bound,
            Self::Exactly(bound) => (value - bound).abs() < f64::EPSILON,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Below(bound) => format!("< {bound}"),
            Self::Exactly(bound) => format!("= {bound}"),
        }
    }
}

impl Report {
    pub(super) fn to_json(&self) -> Value {
        let figure = |figure: &Figure| {
            json!({
                "name": figure.name, "value": figure.value, "unit": figure.unit,
                "target": figure.target.map(Target::shown),
                "isMet": figure.target.map(|target| target.is_met(figure.value)),
            })
        };
        json!({
            "bench": self.name, "method": self.method,
            "figures": self.figures.iter().map(figure).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for line in &self.method {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "\n  {:<52} {:>12} {:<8} {:<10}", "figure", "measured", "", "target")?;
        for figure in &self.figures {
            let target = figure.target.map(Target::shown).unwrap_or_default();
            let verdict = match figure.target.map(|target| target.is_met(figure.value)) {
                Some(true) => "reached",
                Some(false) => "NOT reached",
                None => "",
            };
            let digits = if figure.value.fract() == 0.0 { 0 } else { 2 };
            let line = format!(
                "  {:<52} {:>12.digits$} {:<8} {target:<10} {verdict}",
                figure.name, figure.value, figure.unit
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Measured times, in order of length.
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn new(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }

    /// The time that this share of all does not exceed.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let index = (self.0.len().saturating_sub(1) as f64 * share).round() as usize;
        self.0.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Figure, Report, Target, Times};

    #[test]
    fn quantiles_are_of_the_ordered_times() {
        let times = Times::new((0..=100).rev().map(Duration::from_millis));
        assert_eq!(times.quantile(0.5), Duration::from_millis(50));
        assert_eq!(times.quantile(0.99), Duration::from_millis(99));
        assert_eq!(times.quantile(1.0), Duration::from_millis(100));
        assert_eq!(Times::new([]).quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn a_report_says_which_targets_were_not_reached() {
        let figures = vec![
            Figure::millis("quick", Duration::from_micros(1500)).of(Target::Below(3.0)),
            Figure::new("lost", 2.0, "").of(Target::Exactly(0.0)),
            Figure::new("slow", 15.0, "ms").of(Target::Below(15.0)),
            Figure::new("other", 1.0, ""),
        ];
        let report = Report { name: "setup", method: vec!["by hand".to_owned()], figures };
        let text = report.to_string();
        let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(line("quick").contains("1.50 ms") && line("quick").ends_with("  reached"));
        assert!(line("lost").ends_with("NOT reached") && line("slow").ends_with("NOT reached"));
        assert!(!line("other").contains("reached"));
        assert_eq!(report.to_json()["figures"][1]["isMet"], false);
    }
}
