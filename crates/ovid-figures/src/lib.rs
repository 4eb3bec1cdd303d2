//! Series of numbers to SVG figures and CSV files.
//!
//! In: named series of points or named numbers, a title and labels. Out: a line or bar chart as SVG and, beside it, the numbers behind it as CSV; the same input gives the same bytes.
//! It measures nothing and fits nothing: what is drawn is what came in. Colours follow Okabe and Ito 2008 and are never the only difference between two lines.
//! May import ovid-io alone.

mod bars;
mod chart;
mod csv;
mod draw;
mod error;
mod marks;
mod style;

pub use bars::BarChart;
pub use chart::{LineChart, Scale, Series};
pub use error::Error;
