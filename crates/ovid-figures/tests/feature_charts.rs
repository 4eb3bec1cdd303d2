//! Charts as a user of the crate makes them.

use ovid_figures::{Error, LineChart, Scale, Series};

fn loss_curve() -> LineChart {
    let noisy =
        (0..400).map(|i| (f64::from(i) * 10.0, 9.0 * (f64::from(i) + 10.0).powf(-0.25) + 0.15 * f64::from(i * 37 % 11) / 11.0)).collect();
    let every = |n: usize, shift: f64| {
        (0..=n).map(|i| (i as f64 * 4000.0 / n as f64, 9.0 * (i as f64 * 400.0 / n as f64 + 10.0).powf(-0.25) + shift)).collect()
    };
    LineChart::new("ovid-mini: loss while training", "step", "loss (nats per token)")
        .with(Series::new("training", noisy))
        .with(Series::new("validation, whole split", every(16, 0.3)))
        .with(Series::new("validation, books", every(10, 0.5)))
        .with(Series::new("validation, dialogue", every(8, -0.2)))
}

#[test]
fn the_same_chart_gives_the_same_bytes() {
    assert_eq!(loss_curve().svg().unwrap(), loss_curve().svg().unwrap());
}

#[test]
fn labels_title_and_every_series_are_in_the_drawing() {
    let svg = loss_curve().svg().unwrap();
    for text in ["ovid-mini: loss while training", "step", "loss (nats per token)", "training", "validation, books"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    for colour in ["#0072B2", "#D55E00", "#000000", "#009E73"] {
        assert!(svg.contains(colour), "{colour} is missing");
    }
}

#[test]
fn odd_series_are_drawn_or_refused_but_never_panic() {
    let one = |points| LineChart::new("odd", "x", "y").with(Series::new("s", points));
    for points in [
        vec![(1.0, 1.0)],
        vec![(0.0, f64::NAN), (1.0, 2.0), (2.0, f64::INFINITY), (3.0, 1.0)],
        vec![(1.0, 5.0), (2.0, 5.0)],
        vec![(-1e300, 1e300), (1e300, -1e300)],
    ] {
        for (x, y) in [(Scale::Linear, Scale::Linear), (Scale::Log, Scale::Linear), (Scale::Linear, Scale::Log), (Scale::Log, Scale::Log)] {
            match one(points.clone()).scales(x, y).svg() {
                Ok(svg) => assert!(svg.contains("</svg>")),
                Err(e) => assert!(matches!(e, Error::Empty { .. }), "{e}"),
            }
        }
    }
    assert!(matches!(one(vec![(1.0, f64::NAN)]).svg(), Err(Error::Empty { .. })));
    assert!(matches!(one(vec![(1.0, 0.0)]).scales(Scale::Linear, Scale::Log).svg(), Err(Error::Empty { .. })));
}

#[test]
fn figure_and_numbers_are_written_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let chart = loss_curve().scales(Scale::Log, Scale::Log);
    chart.write(&folder.path().join("run-1.5")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("run-1.5.csv")).unwrap(), chart.csv());
    assert_eq!(std::fs::read_to_string(folder.path().join("run-1.5.svg")).unwrap(), chart.svg().unwrap());
    let nowhere = folder.path().join("absent/loss");
    assert!(chart.write(&nowhere).unwrap_err().to_string().contains("absent/loss.csv"));
}
