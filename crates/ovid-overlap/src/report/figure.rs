//! Figure 5 of the paper: for each set, the share of documents with at most so much overlap.

use ovid_figures::{LineChart, Series};

use crate::Measured;

/// The cumulative distribution of the documents' overlap, a line a set.
pub fn figure<'a>(n: usize, sets: impl Iterator<Item = (&'a str, &'a Measured)>) -> LineChart {
    let title = format!("{n}-gram overlap with the training text");
    sets.fold(
        LineChart::new(title, format!("{n}-grams of a document in the training text (%)"), "share of documents"),
        |chart, (name, set)| chart.with(Series::new(name, steps(set.percentages()))),
    )
}

/// The steps of an empirical distribution, from a share of 0 at its least value.
fn steps(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mut points = Vec::new();
    let (mut share, mut done) = (0.0, 0);
    for equal in values.chunk_by(|a, b| a == b) {
        done += equal.len();
        points.push((equal[0], share));
        share = done as f64 / n;
        points.push((equal[0], share));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_rise_at_each_value_by_its_share() {
        assert_eq!(steps(vec![5.0, 0.0, 0.0, 10.0]), [(0.0, 0.0), (0.0, 0.5), (5.0, 0.5), (5.0, 0.75), (10.0, 0.75), (10.0, 1.0)]);
        assert!(steps(Vec::new()).is_empty());
    }
}
