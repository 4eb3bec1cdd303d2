//! The numbers behind a figure (RFC 4180, `\n` line ends): long form, so that series of different lengths share one file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{Error, LineChart};

pub(crate) fn table(chart: &LineChart) -> String {
    let mut text = format!("series,{},{}\n", field(&chart.x_label), field(&chart.y_label));
    for series in &chart.series {
        let name = field(&series.name);
        for (x, y) in &series.points {
            // `{}` of an f64 is the shortest text that reads back as the same number.
            writeln!(text, "{name},{x},{y}").expect("writing to a String cannot fail");
        }
    }
    text
}

/// Writes `stem.EXTENSION` for each text. Not `with_extension`: a stem such as `run-1.5` keeps its last part.
pub(crate) fn write_beside(stem: &Path, texts: &[(&str, &str)]) -> Result<(), Error> {
    for (extension, text) in texts {
        let mut name = stem.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        ovid_io::atomic::write_atomic(&PathBuf::from(name), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::{LineChart, Series};

    #[test]
    fn names_with_commas_and_quotes_stay_one_field() {
        let chart = LineChart::new("t", "x", "a, \"b\"").with(Series::new("s", vec![(1.0, 0.1), (2.5, f64::NAN)]));
        assert_eq!(chart.csv(), "series,x,\"a, \"\"b\"\"\"\ns,1,0.1\ns,2.5,NaN\n");
    }
}
