//! `/metrics` in Prometheus' text format: the account of every source, and how the daemon is. Renders; counts nothing.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::fmt::Write;
use std::sync::Arc;

use crate::model::{SourceCounts, Usage};

/// What `Content-Type` says.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a scrape gets.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metrics {
    /// By name of the source: a path, `journal`, `stdin`.
    pub sources: Vec<(Arc<str>, SourceCounts)>,
    /// Name (without `logwren_`), help and value.
    pub gauges: Vec<(&'static str, &'static str, u64)>,
    /// What models were asked for, since the state began.
    pub models: Vec<ModelSpend>,
}

/// What one model was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelSpend {
    /// As the provider calls it.
    pub model: String,
    pub usage: Usage,
    /// By today's price list; `None` for a model without a price.
    pub usd: Option<f64>,
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
        self.render_models(&mut text);
        text
    }

    fn render_models(&self, text: &mut String) {
        if self.models.is_empty() {
            return;
        }
        head(text, "model_requests_total", "Requests to a model, failed ones too.", "counter");
        for ModelSpend { model, usage, .. } in &self.models {
            let _ = writeln!(text, "logwren_model_requests_total{{model=\"{}\"}} {}", escaped(model), usage.requests);
        }
        head(text, "model_tokens_total", "Tokens sent to a model (in) and written by it (out).", "counter");
        for ModelSpend { model, usage, .. } in &self.models {
            for (direction, tokens) in [("in", usage.input_tokens), ("out", usage.output_tokens)] {
                let model = escaped(model);
                let _ = writeln!(
                    text,
                    "logwren_model_tokens_total{{model=\"{model}\",direction=\"{direction}\"}} {tokens}"
                );
            }
        }
        head(text, "model_usd_total", "What these tokens cost by today's price list.", "counter");
        for (model, usd) in self.models.iter().filter_map(|spend| Some((&spend.model, spend.usd?))) {
            let _ = writeln!(text, "logwren_model_usd_total{{model=\"{}\"}} {usd}", escaped(model));
        }
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
            models: Vec::new(),
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
    #[test]
    fn what_a_model_cost_is_told_by_its_name() {
        let usage = Usage { requests: 2, input_tokens: 900, cached_tokens: 0, output_tokens: 80 };
        let spend = |model: &str, usd| ModelSpend { model: model.to_owned(), usage, usd };
        let models = vec![spend("flash", Some(0.25)), spend("\"own\"", None)];
        let text = Metrics { models, ..Metrics::default() }.render();
        assert!(text.contains("\nlogwren_model_requests_total{model=\"flash\"} 2\n"), "{text}");
        assert!(text.contains("\nlogwren_model_tokens_total{model=\"\\\"own\\\"\",direction=\"in\"} 900\n"), "{text}");
        assert!(text.ends_with("\nlogwren_model_usd_total{model=\"flash\"} 0.25\n"), "{text}");
    }
}
