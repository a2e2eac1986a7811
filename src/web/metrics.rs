//! `/metrics` in Prometheus' text format: the account of every source, and how the daemon is. Renders; counts nothing.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::fmt::Write;
use std::sync::Arc;

use crate::model::SourceCounts;

/// What `Content-Type` says.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a scrape gets.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metrics {
    /// By name of the source: a path, `journal`, `stdin`.
    pub sources: Vec<(Arc<str>, SourceCounts)>,
    /// Name (without `logwren_`), help and value.
    pub gauges: Vec<(&'static str, &'static str, u64)>,
}

impl Metrics {
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for place in 0..SourceCounts::default().each().len() {
            for (at, (source, counts)) in self.sources.iter().enumerate() {
                let Some((name, help, value)) = counts.each().get(place).copied() else { continue };
                if at == 0 {
                    head(&mut text, &format!("{name}_total"), help, "counter");
                }
                // Writing to a string does not fail.
                let _ = writeln!(text, "logwren_{name}_total{{source=\"{}\"}} {value}", escaped(source));
            }
        }
        for (name, help, value) in &self.gauges {
            head(&mut text, name, help, "gauge");
            let _ = writeln!(text, "logwren_{name} {value}");
        }
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP logwren_{name} {help}\n# TYPE logwren_{name} {kind}");
}

/// A label value: file names may hold anything.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_family_after_the_other_and_no_name_breaks_out() {
        let lines = |lines| SourceCounts { lines, ..SourceCounts::default() };
        let metrics = Metrics {
            sources: vec![("/a".into(), lines(3)), ("/b\"} 9\n\\".into(), lines(5))],
            gauges: vec![("degraded", "Not well.", 0)],
        };
        let text = metrics.render();
        let expected = "# HELP logwren_lines_total Lines read.\n# TYPE logwren_lines_total counter\n\
                        logwren_lines_total{source=\"/a\"} 3\n\
                        logwren_lines_total{source=\"/b\\\"} 9\\n\\\\\"} 5\n\
                        # HELP logwren_committed_lines_total";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("# TYPE logwren_degraded gauge\nlogwren_degraded 0\n"), "{text}");
        assert_eq!(text.matches("# TYPE").count(), 12);
    }
}
