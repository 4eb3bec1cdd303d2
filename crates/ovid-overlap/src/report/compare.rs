//! Two sets held against each other, document by document.

use ovid_stats::{Draws, bootstrap, mann_whitney, mean, median};

use super::form::{Comparison, Interval};
use crate::Measured;

/// Purposes of the draws.
const MEANS: u64 = 0x6f76_0002;
const MEDIANS: u64 = 0x6f76_0003;
const N_RESAMPLES: usize = 2000;
const LEVEL: f64 = 0.95;

/// Whether the documents of `set` have more or less overlap than those of `against`. `None` where one of them has no document with a percentage.
pub fn compare(set: (&str, &Measured), against: (&str, &Measured), seed: u64) -> Option<Comparison> {
    let names =
        |m: &Measured| m.documents.iter().map(|d| (d.source.clone(), d.id.clone(), d.overlap_percent.is_some())).collect::<Vec<_>>();
    let paired = names(set.1) == names(against.1);
    let (x, y) = (set.1.percentages(), against.1.percentages());
    let test = mann_whitney(&x, &y)?;
    // Pairs are drawn as pairs; otherwise the documents of both sets are drawn together.
    let n_groups = if paired { x.len() } else { x.len() + y.len() };
    let drawn = |groups: &[usize]| -> (Vec<f64>, Vec<f64>) {
        if paired {
            groups.iter().map(|&g| (x[g], y[g])).unzip()
        } else {
            let (of_x, of_y): (Vec<usize>, Vec<usize>) = groups.iter().partition(|g| **g < x.len());
            (of_x.iter().map(|&g| x[g]).collect(), of_y.iter().map(|&g| y[g - x.len()]).collect())
        }
    };
    let difference = |statistic: fn(&[f64]) -> Option<f64>, x: &[f64], y: &[f64]| Some(statistic(x)? - statistic(y)?);
    let interval = |statistic: fn(&[f64]) -> Option<f64>, purpose| {
        let of_resample = |groups: &[usize]| {
            let (x, y) = drawn(groups);
            difference(statistic, &x, &y).unwrap_or(f64::NAN)
        };
        bootstrap(n_groups, N_RESAMPLES, LEVEL, Draws::new(seed, purpose), of_resample).map(|i| Interval { low: i.low, high: i.high })
    };
    Some(Comparison {
        set: set.0.to_owned(),
        against: against.0.to_owned(),
        paired,
        mean_difference: difference(mean, &x, &y)?,
        mean_difference_interval: interval(mean, MEANS)?,
        median_difference: difference(median, &x, &y)?,
        median_difference_interval: interval(median, MEDIANS)?,
        superiority: test.superiority,
        p: test.p,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DocumentOverlap;

    fn set(source: &str, percentages: &[f64]) -> Measured {
        let document = |(i, p): (usize, &f64)| DocumentOverlap {
            source: source.to_owned(),
            id: i.to_string(),
            file: String::new(),
            line: 1,
            n_words: 107,
            n_grams: 100,
            hits: *p as u64,
            overlap_percent: Some(*p),
        };
        Measured { documents: percentages.iter().enumerate().map(document).collect(), ..Measured::default() }
    }

    #[test]
    fn a_difference_is_seen_in_its_direction_and_none_where_there_is_none() {
        let low: Vec<f64> = (0..200).map(|i| f64::from(i * 7 % 5)).collect();
        let high: Vec<f64> = low.iter().map(|p| p + 1.0).collect();
        for (source, paired) in [("a", true), ("b", false)] {
            let more = compare(("x", &set("a", &high)), ("y", &set(source, &low)), 1).unwrap();
            assert_eq!((more.paired, more.mean_difference), (paired, 1.0));
            assert!(more.p < 1e-6 && more.superiority > 0.6 && more.mean_difference_interval.low > 0.5);
            let less = compare(("x", &set("a", &low)), ("y", &set(source, &high)), 1).unwrap();
            assert!(less.p < 1e-6 && less.superiority < 0.4 && less.mean_difference_interval.high < -0.5);
            let same = compare(("x", &set("a", &low)), ("y", &set(source, &low)), 1).unwrap();
            assert!(same.p > 0.9 && same.superiority == 0.5);
            assert!(same.mean_difference_interval.low <= 0.0 && same.mean_difference_interval.high >= 0.0);
        }
        // Pairs that differ by the same everywhere leave the bootstrap nothing to vary.
        let pairs = compare(("x", &set("a", &high)), ("y", &set("a", &low)), 1).unwrap().mean_difference_interval;
        assert!((pairs.low - 1.0).abs() < 1e-12 && (pairs.high - 1.0).abs() < 1e-12);
        assert!(compare(("x", &set("a", &[])), ("y", &set("a", &low)), 1).is_none());
    }
}
