//! Colours, dashes and markers, so that two lines differ for every eye and on grey paper.

use plotters::style::RGBColor;

/// How one line looks.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub colour: RGBColor,
    /// Length of a dash and of the gap after it, in pixels; `None` is a whole line.
    pub dash: Option<(i32, i32)>,
    pub marker: Marker,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Cross,
}

// Okabe and Ito 2008, without the yellow and the sky blue, which are too light in print.
const COLOURS: [RGBColor; 6] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 0, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(230, 159, 0)];
const DASHES: [Option<(i32, i32)>; 4] = [None, Some((8, 4)), Some((2, 3)), Some((14, 4))];
const MARKERS: [Marker; 4] = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Cross];

/// The look of line `i`. Colours repeat after 6, dashes and markers after 4: the pair repeats after 12.
pub(crate) fn look(i: usize) -> Look {
    Look { colour: COLOURS[i % COLOURS.len()], dash: DASHES[i % DASHES.len()], marker: MARKERS[i % MARKERS.len()] }
}
