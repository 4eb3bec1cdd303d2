//! Named numbers as horizontal bars: the name to the left, the number behind its bar.

use std::fmt::Write as _;
use std::path::Path;

use crate::csv::field;
use crate::{Error, csv};

const WIDTH: u32 = 900;
const BAR: u32 = 18;
const STEP: u32 = 26;
const NAMES: u32 = 260;
const TOP: u32 = 48;
/// Room behind the longest bar for its number.
const NUMBERS: u32 = 110;

/// A chart of named numbers, none of them negative.
///
/// ```
/// let chart = ovid_figures::BarChart::new("left out", "cause", "documents").with("few words", 120.0).with("other language", 7.0);
/// assert!(chart.svg()?.contains("few words"));
/// assert_eq!(chart.csv(), "cause,documents\nfew words,120\nother language,7\n");
/// # Ok::<(), ovid_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// Title above the chart.
    pub title: String,
    /// What the names are.
    pub name_label: String,
    /// What the numbers are, with their unit.
    pub value_label: String,
    /// The bars, from top to bottom.
    pub bars: Vec<(String, f64)>,
}

impl BarChart {
    /// A chart without bars.
    pub fn new(title: impl Into<String>, name_label: impl Into<String>, value_label: impl Into<String>) -> Self {
        Self { title: title.into(), name_label: name_label.into(), value_label: value_label.into(), bars: Vec::new() }
    }

    /// The chart with one more bar.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.bars.push((name.into(), value));
        self
    }

    /// The figure as SVG. A number that is negative or not finite has no bar.
    ///
    /// # Errors
    /// When there are no bars.
    pub fn svg(&self) -> Result<String, Error> {
        if self.bars.is_empty() {
            return Err(Error::Empty { title: self.title.clone() });
        }
        let most = self.bars.iter().map(|(_, v)| *v).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let room = f64::from(WIDTH - NAMES - NUMBERS);
        let height = TOP + STEP * self.bars.len() as u32 + 40;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n<text x=\"{}\" y=\"28\" text-anchor=\"middle\" font-size=\"20\">{}</text>\n",
            WIDTH / 2,
            escaped(&self.title)
        );
        for (i, (name, value)) in self.bars.iter().enumerate() {
            let y = TOP + STEP * i as u32;
            let length = if *value > 0.0 && value.is_finite() { room * value / most } else { 0.0 };
            let middle = y + BAR - 4;
            writeln!(out, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>", NAMES - 8, escaped(name))
                .expect("writing to a String cannot fail");
            writeln!(out, "<rect x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"#0072B2\"/>")
                .expect("writing to a String cannot fail");
            writeln!(out, "<text x=\"{:.1}\" y=\"{middle}\">{value}</text>", f64::from(NAMES) + length + 6.0)
                .expect("writing to a String cannot fail");
        }
        let label = escaped(&self.value_label);
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n</svg>",
            f64::from(NAMES) + room / 2.0,
            height - 14
        )
        .expect("writing to a String cannot fail");
        Ok(out)
    }

    /// The numbers behind the figure, one a line.
    pub fn csv(&self) -> String {
        let mut text = format!("{},{}\n", field(&self.name_label), field(&self.value_label));
        for (name, value) in &self.bars {
            writeln!(text, "{},{value}", field(name)).expect("writing to a String cannot fail");
        }
        text
    }

    /// Writes `stem.svg` and `stem.csv`, each whole or not at all.
    ///
    /// # Errors
    /// When there are no bars, or a file cannot be written.
    pub fn write(&self, stem: &Path) -> Result<(), Error> {
        let svg = self.svg()?;
        csv::write_beside(stem, &[("csv", &self.csv()), ("svg", &svg)])
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let svg = BarChart::new("t", "n", "v").with("a<b", 10.0).with("half", 5.0).with("none", 0.0).svg().unwrap();
        let widths: Vec<f64> = svg
            .lines()
            .filter(|l| l.contains("#0072B2"))
            .map(|l| l.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(widths, [530.0, 265.0, 0.0]);
        assert!(svg.contains("a&lt;b"));
        assert!(BarChart::new("t", "n", "v").svg().is_err());
    }
}
