//! Held against scipy: `tools/reference/scipy_values.py` makes the values.

use ovid_stats::distributions as d;
use ovid_stats::{
    Draws, Interval, auroc, benjamini_hochberg, binomial_lower_tail, binomial_upper_tail, bootstrap, clopper_pearson, discoveries,
    hodges_lehmann, kolmogorov_smirnov, mann_whitney, mean, median, poisson_binomial_upper_tail, quantile, tpr_at_fpr, wilson,
};
use serde_json::Value;

fn values(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/scipy.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[track_caller]
fn same(found: f64, want: f64, relative: f64, what: &str) {
    assert!((found - want).abs() <= relative * want.abs() + 1e-300, "{what}: {found:e}, scipy has {want:e}");
}

#[test]
fn distributions_are_those_of_scipy() {
    for row in values("normal").iter().map(numbers) {
        same(d::normal_cdf(row[0]), row[1], 1e-10, &format!("normal {row:?}"));
        same(d::normal_upper_tail(row[0]), row[2], 1e-10, &format!("normal {row:?}"));
    }
    for row in values("normal_quantile").iter().map(numbers) {
        same(d::normal_quantile(row[0]), row[1], 1e-10, &format!("normal quantile {row:?}"));
    }
    for row in values("beta").iter().map(numbers) {
        same(d::beta_cdf(row[0], row[1], row[2]), row[3], 1e-9, &format!("beta {row:?}"));
    }
    for row in values("beta_quantile").iter().map(numbers) {
        same(d::beta_quantile(row[0], row[1], row[2]), row[3], 1e-9, &format!("beta quantile {row:?}"));
    }
    for row in values("gamma").iter().map(numbers) {
        same(d::gamma_cdf(row[0], row[1]), row[2], 1e-9, &format!("gamma {row:?}"));
        same(d::gamma_upper_tail(row[0], row[1]), row[3], 1e-9, &format!("gamma {row:?}"));
    }
    for row in values("chi_squared").iter().map(numbers) {
        same(d::chi_squared_upper_tail(row[0], row[1]), row[2], 1e-9, &format!("chi squared {row:?}"));
    }
}

#[test]
fn tails_are_those_of_scipy() {
    for row in values("binomial").iter().map(numbers) {
        let (k, n, p) = (row[0] as u64, row[1] as u64, row[2]);
        same(binomial_upper_tail(k, n, p), row[3], 1e-8, &format!("binomial {row:?}"));
        same(binomial_lower_tail(k, n, p), row[4], 1e-8, &format!("binomial {row:?}"));
    }
    for row in values("poisson_binomial") {
        let found = poisson_binomial_upper_tail(row["k"].as_u64().unwrap() as usize, &numbers(&row["p"]));
        // scipy's comes from a Fourier transform, whose error is absolute.
        assert!((found - number(&row["upper"])).abs() < 1e-12, "{row}: {found}");
    }
    let equal = [0.3; 50];
    for k in 0..=51 {
        same(poisson_binomial_upper_tail(k, &equal), binomial_upper_tail(k as u64, 50, 0.3), 1e-9, "equal probabilities");
    }
}

#[test]
fn intervals_are_those_of_scipy() {
    for row in values("proportion") {
        let (k, n, level) = (row["k"].as_u64().unwrap(), row["n"].as_u64().unwrap(), number(&row["level"]));
        let check = |found: Interval, name: &str| {
            for (found, want) in <[f64; 2]>::from(found).into_iter().zip(numbers(&row[name])) {
                assert!((found - want).abs() < 1e-10, "{row} {name}: {found}");
            }
        };
        check(wilson(k, n, level), "wilson");
        check(clopper_pearson(k, n, level), "clopper_pearson");
    }
    assert_eq!(wilson(0, 0, 0.95), clopper_pearson(0, 0, 0.95));
}

#[test]
fn two_samples_are_compared_as_scipy_does() {
    for row in values("two_samples") {
        let (x, y) = (numbers(&row["x"]), numbers(&row["y"]));
        let test = mann_whitney(&x, &y).unwrap();
        same(test.u, number(&row["u"]), 1e-12, "U");
        same(test.p, number(&row["p"]), 1e-9, "Mann-Whitney");
        same(auroc(&y, &x).unwrap(), number(&row["u"]) / (x.len() * y.len()) as f64, 1e-12, "AUROC");
        let ks = kolmogorov_smirnov(&x, &y).unwrap();
        same(ks.statistic, number(&row["ks"]), 1e-12, "KS");
        same(ks.p, number(&row["ks_p"]), 1e-8, "KS p");
        same(hodges_lehmann(&x, &y, 0.95).unwrap().estimate, number(&row["hodges_lehmann"]), 1e-12, "Hodges-Lehmann");
        for pair in row["tpr_at_fpr"].as_array().unwrap().iter().map(numbers) {
            same(tpr_at_fpr(&y, &x, pair[0]).unwrap(), pair[1], 1e-12, &format!("TPR at {}", pair[0]));
        }
        let mut sorted = x.clone();
        sorted.sort_by(f64::total_cmp);
        for pair in row["quantiles"].as_array().unwrap().iter().map(numbers) {
            same(quantile(&sorted, pair[0]).unwrap(), pair[1], 1e-12, &format!("quantile {}", pair[0]));
        }
        assert_eq!(median(&x), quantile(&sorted, 0.5));
    }
    assert_eq!((mann_whitney(&[], &[1.0]), auroc(&[], &[1.0]), median(&[])), (None, None, None));
    assert_eq!(mann_whitney(&[1.0; 5], &[1.0; 3]).unwrap().p, 1.0);
}

#[test]
fn false_discovery_control_is_scipys() {
    for row in values("benjamini_hochberg") {
        let p = numbers(&row["p"]);
        for (found, want) in benjamini_hochberg(&p).into_iter().zip(numbers(&row["adjusted"])) {
            same(found, want, 1e-12, "Benjamini-Hochberg");
        }
        let want: Vec<usize> = numbers(&row["adjusted"]).iter().enumerate().filter(|(_, a)| **a <= 0.1).map(|(i, _)| i).collect();
        assert_eq!(discoveries(&p, 0.1), want);
    }
}

#[test]
fn the_bootstrap_agrees_with_scipys() {
    for row in values("bootstrap") {
        let x = numbers(&row["x"]);
        let of = |drawn: &[usize]| mean(&drawn.iter().map(|&i| x[i]).collect::<Vec<_>>()).unwrap();
        let found = bootstrap(x.len(), 20_000, 0.95, Draws::new(1, 0), of).unwrap();
        let want = numbers(&row["interval"]);
        let width = want[1] - want[0];
        // The quantile of 20,000 draws wanders by about 1% of the width.
        assert!((found.low - want[0]).abs() < 0.03 * width && (found.high - want[1]).abs() < 0.03 * width, "{found:?} {want:?}");
        assert_eq!(bootstrap(x.len(), 200, 0.95, Draws::new(1, 0), of), bootstrap(x.len(), 200, 0.95, Draws::new(1, 0), of));
    }
    assert_eq!(bootstrap(0, 10, 0.95, Draws::new(1, 0), |_| 0.0), None);
    assert_eq!(bootstrap(3, 10, 0.95, Draws::new(1, 0), |_| f64::NAN), None);
}

/// Moses' interval holds the true shift about as often as it says.
#[test]
fn the_shifts_interval_holds_its_level() {
    let draws = Draws::new(5, 0);
    let held = (0..400_u64)
        .filter(|trial| {
            let sample =
                |from: u64, n: u64, shift: f64| (0..n).map(|i| draws.normal_at(trial * 100 + from + i) + shift).collect::<Vec<_>>();
            hodges_lehmann(&sample(0, 25, 0.7), &sample(50, 30, 0.0), 0.9).unwrap().interval.contains(0.7)
        })
        .count() as u64;
    assert!(clopper_pearson(held, 400, 0.999).contains(0.9), "{held} of 400");
}
