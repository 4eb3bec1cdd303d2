//! What a line chart is: series, title, labels, scales.

use std::path::Path;

use crate::{Error, csv, draw};

/// How an axis maps numbers to places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances are equal differences.
    #[default]
    Linear,
    /// Equal distances are equal ratios; points at or below 0 are left out of the drawing.
    Log,
}

/// A named line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name in the legend and in the CSV file.
    pub name: String,
    /// Points in drawing order; a point that is not finite breaks the line.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A series from a name and its points.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

/// A line chart.
///
/// ```
/// use ovid_figures::{LineChart, Series};
/// let chart = LineChart::new("loss", "step", "loss (nats per token)")
///     .with(Series::new("training", vec![(0.0, 9.0), (100.0, 6.5)]))
///     .with(Series::new("validation", vec![(0.0, 9.1), (100.0, 6.6)]));
/// assert!(chart.svg()?.starts_with("<svg"));
/// assert_eq!(chart.csv().lines().next(), Some("series,step,loss (nats per token)"));
/// # Ok::<(), ovid_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// Title above the chart.
    pub title: String,
    /// Label of the horizontal axis, with its unit.
    pub x_label: String,
    /// Label of the vertical axis, with its unit.
    pub y_label: String,
    /// Scale of the horizontal axis.
    pub x_scale: Scale,
    /// Scale of the vertical axis.
    pub y_scale: Scale,
    /// The lines; each gets its own colour, dash and marker in this order.
    pub series: Vec<Series>,
}

impl LineChart {
    /// A chart without lines, both axes linear.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Self { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), ..Self::default() }
    }

    /// The chart with one more line.
    #[must_use]
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// The chart with other scales.
    #[must_use]
    pub fn scales(self, x: Scale, y: Scale) -> Self {
        Self { x_scale: x, y_scale: y, ..self }
    }

    /// The figure as SVG.
    ///
    /// # Errors
    /// When no point can be drawn.
    pub fn svg(&self) -> Result<String, Error> {
        draw::svg(self)
    }

    /// Every number behind the figure, one point a line: series, x, y. Points that are not finite are kept.
    pub fn csv(&self) -> String {
        csv::table(self)
    }

    /// Writes `stem.svg` and `stem.csv`, each whole or not at all.
    ///
    /// # Errors
    /// When no point can be drawn, or a file cannot be written.
    pub fn write(&self, stem: &Path) -> Result<(), Error> {
        let svg = self.svg()?;
        csv::write_beside(stem, &[("csv", &self.csv()), ("svg", &svg)])
    }
}
