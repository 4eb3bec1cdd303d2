//! The drawing: plotters places axes, ticks, lines and legend in an SVG of 900 by 560 units.
//!
//! plotters draws a dashed line piece by piece, since its SVG knows no dashes; a line with few points also gets markers.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::marks::{Mark, SAMPLE_PIXELS, Sample};
use crate::style::look;
use crate::{Error, LineChart, Scale};

const SIZE: (u32, u32) = (900, 560);
/// A line of more points than this is drawn without markers: they would hide it.
const MOST_MARKERS: usize = 60;

pub(crate) fn svg(chart: &LineChart) -> Result<String, Error> {
    let empty = || Error::Empty { title: chart.title.clone() };
    let points = || chart.series.iter().flat_map(|series| &series.points).filter(|point| drawable(chart, point));
    let x = span(points().map(|p| p.0), chart.x_scale, 0.0).ok_or_else(empty)?;
    let y = span(points().map(|p| p.1), chart.y_scale, 0.05).ok_or_else(empty)?;
    let legend = emptiest_corner(chart, &x, &y);
    match (chart.x_scale, chart.y_scale) {
        (Scale::Linear, Scale::Linear) => draw(chart, x, y, legend),
        (Scale::Log, Scale::Linear) => draw(chart, x.log_scale(), y, legend),
        (Scale::Linear, Scale::Log) => draw(chart, x, y.log_scale(), legend),
        (Scale::Log, Scale::Log) => draw(chart, x.log_scale(), y.log_scale(), legend),
    }
}

fn drawable(chart: &LineChart, &(x, y): &(f64, f64)) -> bool {
    let fits = |v: f64, scale| v.is_finite() && (scale == Scale::Linear || v > 0.0);
    fits(x, chart.x_scale) && fits(y, chart.y_scale)
}

/// The range of an axis: the values with `margin` of their spread on both sides, and never empty.
fn span(values: impl Iterator<Item = f64>, scale: Scale, margin: f64) -> Option<Range<f64>> {
    let (low, high) =
        values.fold(None, |range: Option<(f64, f64)>, v| Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))))?;
    Some(match scale {
        Scale::Linear => {
            let spread = if high > low { (high - low) * margin } else { high.abs().max(1.0) * 0.5 };
            low - spread..high + spread
        }
        Scale::Log => {
            let spread = if high > low { (high / low).powf(margin) } else { 2.0 };
            low / spread..high * spread
        }
    })
}

fn draw<X, Y>(chart: &LineChart, x: X, y: Y, legend: SeriesLabelPosition) -> Result<String, Error>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let failed = |cause: &dyn Display| Error::Draw { title: chart.title.clone(), cause: cause.to_string() };
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut area = ChartBuilder::on(&root)
            .caption(&chart.title, ("sans-serif", 24))
            .margin(16)
            .margin_right(28)
            .x_label_area_size(52)
            .y_label_area_size(76)
            .build_cartesian_2d(x, y)
            .map_err(|e| failed(&e))?;
        area.configure_mesh()
            .x_desc(&chart.x_label)
            .y_desc(&chart.y_label)
            .axis_desc_style(("sans-serif", 18))
            .label_style(("sans-serif", 15))
            .x_label_formatter(&|v| number(*v))
            .y_label_formatter(&|v| number(*v))
            .bold_line_style(RGBColor(205, 205, 205))
            .light_line_style(RGBColor(238, 238, 238))
            .draw()
            .map_err(|e| failed(&e))?;
        for (i, series) in chart.series.iter().enumerate() {
            let look = look(i);
            let stroke = look.colour.stroke_width(2);
            let few = series.points.len() <= MOST_MARKERS;
            for piece in series.points.split(|point| !drawable(chart, point)).filter(|piece| !piece.is_empty()) {
                let line = piece.iter().copied();
                match look.dash {
                    None => area.draw_series(LineSeries::new(line, stroke)).map(drop),
                    Some((dash, gap)) => area.draw_series(DashedLineSeries::new(line, dash, gap, stroke)).map(drop),
                }
                .map_err(|e| failed(&e))?;
                // A single point is no line and would vanish.
                if few || piece.len() == 1 {
                    area.draw_series(piece.iter().map(|&at| Mark { at, look })).map_err(|e| failed(&e))?;
                }
            }
            // An empty series draws nothing but carries the legend's line.
            area.draw_series(std::iter::empty::<Mark<(f64, f64)>>())
                .map_err(|e| failed(&e))?
                .label(&series.name)
                .legend(move |at| Sample { at, look, marked: few });
        }
        area.configure_series_labels()
            .position(legend)
            .legend_area_size(SAMPLE_PIXELS as u32 + 12)
            .margin(12)
            .label_font(("sans-serif", 16))
            .background_style(WHITE.mix(0.9))
            .border_style(RGBColor(160, 160, 160))
            .draw()
            .map_err(|e| failed(&e))?;
        root.present().map_err(|e| failed(&e))?;
    }
    Ok(text)
}

/// The corner of the chart that holds the fewest points; the upper right, where a loss curve leaves room, wins ties.
fn emptiest_corner(chart: &LineChart, x: &Range<f64>, y: &Range<f64>) -> SeriesLabelPosition {
    let share = |v: f64, range: &Range<f64>, scale| match scale {
        Scale::Linear => (v - range.start) / (range.end - range.start),
        Scale::Log => (v / range.start).ln() / (range.end / range.start).ln(),
    };
    let mut points = [0_u64; 4];
    for &(px, py) in chart.series.iter().flat_map(|s| &s.points).filter(|p| drawable(chart, p)) {
        let (h, v) = (share(px, x, chart.x_scale), share(py, y, chart.y_scale));
        if !(0.4..=0.6).contains(&h) && !(0.4..=0.6).contains(&v) {
            points[usize::from(h < 0.5) + 2 * usize::from(v < 0.5)] += 1;
        }
    }
    let corners =
        [SeriesLabelPosition::UpperRight, SeriesLabelPosition::UpperLeft, SeriesLabelPosition::LowerRight, SeriesLabelPosition::LowerLeft];
    let best = (0..4).min_by_key(|&i| points[i]).expect("there are four corners");
    corners.into_iter().nth(best).expect("there are four corners")
}

/// A tick's number: short, with thousands as k and millions as M where that loses nothing.
fn number(v: f64) -> String {
    let whole = |v: f64, unit: f64| v.abs() >= unit && (v / unit * 100.0).fract().abs() < 1e-6;
    let short = |v: f64| format!("{v:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
    match v {
        0.0 => "0".to_owned(),
        v if whole(v, 1e9) => format!("{}G", short(v / 1e9)),
        v if whole(v, 1e6) => format!("{}M", short(v / 1e6)),
        v if whole(v, 1e4) => format!("{}k", short(v / 1e3)),
        v if v.abs() < 1e-3 || v.abs() >= 1e9 => format!("{v:.0e}"),
        v => short(v),
    }
}
