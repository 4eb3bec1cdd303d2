//! What a calibration measured: how well machine text is told from human text, by length, domain and sampler, each with its interval.

use std::fmt::Write as _;

use ovid_figures::{LineChart, Scale, Series};
use ovid_stats::Interval;
use serde::{Deserialize, Serialize};

use crate::ModelId;

/// The report of a calibration: what `ovid detect calibrate --report` writes and a release is checked against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionReport {
    /// Always `ovid-detect-report`.
    pub format: String,
    /// Of the format: 1.
    pub version: u32,
    /// The model that scores.
    pub model: ModelId,
    /// The second model of Binoculars.
    pub second: Option<ModelId>,
    /// Which program made the machine's texts, as the person who calibrated said it; the scoring model's own name where nothing was said.
    pub machine: String,
    /// SHA-256 of the calibration file.
    pub calibration_sha256: String,
    /// The seed of split and bootstrap.
    pub seed: u64,
    /// One row a length, all domains and samplers together.
    pub by_length: Vec<Row>,
    /// One row a length and domain of the human side, against all machine text.
    pub by_domain: Vec<Row>,
    /// One row a length and sampler, against all human text.
    pub by_sampler: Vec<Row>,
    /// One row a length and statistic alone, oriented so that more means machine.
    pub by_statistic: Vec<Row>,
    /// Two rows a length: a detector that sees nothing but how texts were stored and cut, before the clean-up and after it. After it, it must be at chance.
    pub by_artefact: Vec<Row>,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What the row is of: a domain, a sampler, a statistic, or `all`.
    pub name: String,
    /// Length in GPT-2 tokens.
    pub gpt2_tokens: usize,
    /// The same length in tokens of the scoring model.
    pub n_tokens: usize,
    /// Human texts.
    pub n_human: usize,
    /// Source documents that they are from.
    pub n_human_documents: usize,
    /// Machine texts.
    pub n_machine: usize,
    /// Area under the receiver operating characteristic.
    pub auroc: Option<Estimate>,
    /// True-positive rate at a false-positive rate of 1%; null where 3 / `n_human` is above that.
    pub tpr_at_1_percent: Option<Estimate>,
    /// True-positive rate at a false-positive rate of 0.1%; null where 3 / `n_human` is above that.
    pub tpr_at_01_percent: Option<Estimate>,
    /// Expected calibration error of the probability, prior 0.5, in ten bins of equal size; null where a statistic has no probability.
    pub calibration_error: Option<Estimate>,
}

/// A number with its 95% bootstrap interval over source documents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The interval.
    pub interval: Interval,
}

impl Estimate {
    fn words(self) -> String {
        format!("{:.3} [{:.3}, {:.3}]", self.value, self.interval.low, self.interval.high)
    }
}

/// What [`DetectionReport::format`] says.
pub const REPORT_FORMAT: &str = "ovid-detect-report";

impl DetectionReport {
    fn rows(&self) -> impl Iterator<Item = (&'static str, &Row)> {
        let tables = [
            ("length", &self.by_length),
            ("domain", &self.by_domain),
            ("sampler", &self.by_sampler),
            ("statistic", &self.by_statistic),
            ("artefacts alone", &self.by_artefact),
        ];
        tables.into_iter().flat_map(|(by, rows)| rows.iter().map(move |row| (by, row)))
    }

    /// All rows as CSV.
    pub fn csv(&self) -> String {
        let mut text = String::from("by,name,gpt2_tokens,n_tokens,n_human,n_human_documents,n_machine");
        for name in ["auroc", "tpr_at_1_percent", "tpr_at_01_percent", "calibration_error"] {
            let _ = write!(text, ",{name},{name}_low,{name}_high");
        }
        text.push('\n');
        for (by, row) in self.rows() {
            let name = if row.name.contains([',', '"']) { format!("\"{}\"", row.name.replace('"', "\"\"")) } else { row.name.clone() };
            let _ = write!(
                text,
                "{by},{name},{},{},{},{},{}",
                row.gpt2_tokens, row.n_tokens, row.n_human, row.n_human_documents, row.n_machine
            );
            for estimate in [row.auroc, row.tpr_at_1_percent, row.tpr_at_01_percent, row.calibration_error] {
                match estimate {
                    Some(e) => {
                        let _ = write!(text, ",{},{},{}", e.value, e.interval.low, e.interval.high);
                    }
                    None => text.push_str(",,,"),
                }
            }
            text.push('\n');
        }
        text
    }

    /// The rows as tables in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for (by, row) in self.rows() {
            if by != last {
                let _ = writeln!(
                    text,
                    "{}| tokens | {by} | human (documents) | machine | AUROC | TPR at FPR 1% | TPR at FPR 0.1% | calibration error |\n| --- | --- | --- | --- | --- | --- | --- | --- |",
                    if last.is_empty() { "" } else { "\n" }
                );
                last = by;
            }
            let words = |e: Option<Estimate>| e.map_or_else(|| "-".to_owned(), Estimate::words);
            let _ = writeln!(
                text,
                "| {} | {} | {} ({}) | {} | {} | {} | {} | {} |",
                row.gpt2_tokens,
                row.name,
                row.n_human,
                row.n_human_documents,
                row.n_machine,
                words(row.auroc),
                words(row.tpr_at_1_percent),
                words(row.tpr_at_01_percent),
                words(row.calibration_error)
            );
        }
        text
    }

    /// AUROC over length: all together, and each sampler.
    pub fn chart(&self) -> LineChart {
        let mut chart =
            LineChart::new(format!("machine or human, scored with {}", self.model.name), "length (GPT-2 tokens)", "area under the curve")
                .scales(Scale::Log, Scale::Linear);
        let mut names: Vec<&str> = self.by_sampler.iter().map(|r| r.name.as_str()).collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        let points = |rows: &[Row], name: &str| -> Vec<(f64, f64)> {
            rows.iter().filter(|r| r.name == name).filter_map(|r| Some((r.gpt2_tokens as f64, r.auroc?.value))).collect()
        };
        chart = chart.with(Series::new("all", points(&self.by_length, "all")));
        for name in names {
            chart = chart.with(Series::new(name, points(&self.by_sampler, name)));
        }
        chart
    }
}
