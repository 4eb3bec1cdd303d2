//! Two small drawings that plotters lacks: a marker of chosen shape, and the sample of a line in the legend.

use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters_backend::{BackendCoord, DrawingErrorKind};

use crate::style::{Look, Marker};

/// Length of a line's sample in the legend.
pub(crate) const SAMPLE_PIXELS: i32 = 40;
const RADIUS: i32 = 4;

/// A line's marker at a point.
pub(crate) struct Mark<C> {
    pub at: C,
    pub look: Look,
}

impl<'a, C> PointCollection<'a, C> for &'a Mark<C> {
    type Point = &'a C;
    type IntoIter = std::iter::Once<&'a C>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<C, B: DrawingBackend> Drawable<B> for Mark<C> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut at: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        at.next().map_or(Ok(()), |at| mark(backend, at, self.look))
    }
}

/// A short piece of a line, as the legend shows it.
pub(crate) struct Sample {
    pub at: (i32, i32),
    pub look: Look,
    pub marked: bool,
}

impl<'a> PointCollection<'a, (i32, i32)> for &'a Sample {
    type Point = &'a (i32, i32);
    type IntoIter = std::iter::Once<&'a (i32, i32)>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<B: DrawingBackend> Drawable<B> for Sample {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut at: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        let Some((left, middle)) = at.next() else { return Ok(()) };
        let right = left + SAMPLE_PIXELS;
        let stroke = self.look.colour.stroke_width(2);
        let (dash, gap) = self.look.dash.unwrap_or((SAMPLE_PIXELS, 1));
        for start in (left..right).step_by((dash + gap) as usize) {
            backend.draw_line((start, middle), ((start + dash).min(right), middle), &stroke)?;
        }
        if self.marked { mark(backend, (left + SAMPLE_PIXELS / 2, middle), self.look) } else { Ok(()) }
    }
}

fn mark<B: DrawingBackend>(backend: &mut B, (x, y): BackendCoord, look: Look) -> Result<(), DrawingErrorKind<B::ErrorType>> {
    let colour = look.colour.filled();
    match look.marker {
        Marker::Circle => backend.draw_circle((x, y), RADIUS as u32, &colour, true),
        Marker::Square => backend.draw_rect((x - RADIUS, y - RADIUS), (x + RADIUS, y + RADIUS), &colour, true),
        Marker::Triangle => {
            backend.fill_polygon([(x, y - RADIUS - 1), (x - RADIUS - 1, y + RADIUS), (x + RADIUS + 1, y + RADIUS)], &colour)
        }
        Marker::Cross => {
            let stroke = look.colour.stroke_width(2);
            backend.draw_line((x - RADIUS, y - RADIUS), (x + RADIUS, y + RADIUS), &stroke)?;
            backend.draw_line((x - RADIUS, y + RADIUS), (x + RADIUS, y - RADIUS), &stroke)
        }
    }
}
