//! A published sample as a picture: the prompt in blue, the machine's text in black, below them the facts.
//!
//! The font is `DejaVu Serif`, embedded (`fonts/LICENSE.txt`). It draws Latin, Greek, Cyrillic and many signs from left to right, without the joining that Arabic or Indic scripts
//! need; what it has no glyph for is a box. The same sample gives the same bytes.

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _, point};

use super::Published;
use crate::Error;

static FONT: &[u8] = include_bytes!("../../fonts/DejaVuSerif.ttf");

const WIDTH: usize = 1200;
const MARGIN: f32 = 60.0;
const TEXT_SIZE: f32 = 30.0;
const SMALL_SIZE: f32 = 17.0;
/// A longer text is cut: a picture is for looking at, the text is in the other files.
const MOST_LINES: usize = 120;

type Colour = [u8; 3];
const INK: Colour = [26, 26, 26];
const HUMAN: Colour = [0, 114, 178];
const MACHINE: Colour = [213, 94, 0];
const FAINT: Colour = [95, 95, 95];

/// A line to be drawn.
struct Line {
    text: String,
    size: f32,
    colour: Colour,
}

impl Published {
    /// The picture, as a PNG file.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn card(&self, record: &str) -> Result<Vec<u8>, Error> {
        let font = FontRef::try_from_slice(FONT).map_err(|e| Error::Asked(format!("the embedded font cannot be read: {e}")))?;
        let mut lines = Vec::new();
        let mut write = |text: &str, size, colour, most| {
            let wrapped = wrap(&font, text, size);
            let n_left = wrapped.len().saturating_sub(most);
            lines.extend(wrapped.into_iter().take(most).map(|text| Line { text, size, colour }));
            if n_left > 0 {
                lines.push(Line { text: format!("… ({n_left} more lines)"), size, colour: FAINT });
            }
        };
        let g = &self.generation;
        if !g.prompt.is_empty() {
            write("human-written prompt", SMALL_SIZE, HUMAN, 1);
            write(g.prompt.trim_matches('\n'), TEXT_SIZE, HUMAN, MOST_LINES / 2);
            write(" ", SMALL_SIZE, INK, 1);
        }
        write(&format!("machine-written text, {}", self.tries_line()), SMALL_SIZE, MACHINE, 2);
        write(g.text.trim_matches('\n'), TEXT_SIZE, INK, MOST_LINES);
        write(" ", TEXT_SIZE, INK, 1);
        for (name, value) in self.facts() {
            write(&format!("{name}: {value}"), SMALL_SIZE, FAINT, 3);
        }
        write(&format!("check: {}", self.check_line(record)), SMALL_SIZE, FAINT, 3);
        draw(&font, &lines)
    }
}

/// Breaks a text into lines that fit, at blanks where there are any.
fn wrap(font: &FontRef<'_>, text: &str, size: f32) -> Vec<String> {
    let scaled = font.as_scaled(PxScale::from(size));
    let room = WIDTH as f32 - 2.0 * MARGIN;
    let advance = |c: char| scaled.h_advance(scaled.glyph_id(c));
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let (mut line, mut width) = (String::new(), 0.0);
        for c in paragraph.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }) {
            line.push(c);
            width += advance(c);
            if width > room && c != ' ' {
                let at = line.rfind(' ').filter(|&at| at > 0).map_or(line.len() - c.len_utf8(), |at| at + 1);
                let rest = line.split_off(at);
                lines.push(std::mem::replace(&mut line, rest));
                width = line.chars().map(advance).sum();
            }
        }
        lines.push(line);
    }
    lines
}

fn draw(font: &FontRef<'_>, lines: &[Line]) -> Result<Vec<u8>, Error> {
    let step = |line: &Line| line.size * 1.42;
    let height = (lines.iter().map(step).sum::<f32>() + 2.0 * MARGIN).ceil() as usize;
    let mut pixels = vec![255u8; WIDTH * height * 3];
    let mut top = MARGIN;
    for line in lines {
        let scaled = font.as_scaled(PxScale::from(line.size));
        let mut x = MARGIN;
        for c in line.text.chars() {
            let id = scaled.glyph_id(c);
            let glyph = id.with_scale_and_position(line.size, point(x, top + scaled.ascent()));
            x += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, covered| {
                let (x, y) = (bounds.min.x as i64 + i64::from(dx), bounds.min.y as i64 + i64::from(dy));
                if (0..WIDTH as i64).contains(&x) && (0..height as i64).contains(&y) {
                    let at = (y as usize * WIDTH + x as usize) * 3;
                    for (pixel, ink) in pixels[at..at + 3].iter_mut().zip(line.colour) {
                        let mixed = f32::from(*pixel) + (f32::from(ink) - f32::from(*pixel)) * covered.clamp(0.0, 1.0);
                        *pixel = mixed.round() as u8;
                    }
                }
            });
        }
        top += step(line);
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, WIDTH as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|e| Error::Asked(format!("the picture cannot be encoded: {e}")))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_nothing_is_lost() {
        let font = FontRef::try_from_slice(FONT).unwrap();
        let scaled = font.as_scaled(PxScale::from(TEXT_SIZE));
        let text = format!("{} {}\n\nLast: Ünïcode, Ελληνικά, 日本。", "so it goes ".repeat(40), "x".repeat(300));
        let lines = wrap(&font, &text, TEXT_SIZE);
        assert_eq!(lines.concat(), text.replace('\n', ""));
        for line in &lines {
            let width: f32 = line.trim_end().chars().map(|c| scaled.h_advance(scaled.glyph_id(c))).sum();
            assert!(width <= WIDTH as f32 - 2.0 * MARGIN, "{width}: {line}");
        }
        assert!(lines.iter().any(String::is_empty));
    }
}
