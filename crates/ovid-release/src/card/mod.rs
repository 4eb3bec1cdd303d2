//! The model card (Mitchell et al. 2019), made from the evidence: every number in it names the file and the digest that it came from.
//!
//! In: a release folder. Out: the same card in Markdown, with the metadata header of the Hugging Face hub, and in HTML. What a person must write is marked where it is
//! missing, and the check does not pass while it is.

mod render;
mod sections;

use std::collections::BTreeMap;

use crate::{Error, Identity, Release, Stage};

/// A card before it is rendered.
#[derive(Clone, Debug)]
pub struct Card {
    header: Vec<(String, Vec<String>)>,
    title: String,
    sections: Vec<Section>,
    /// Each file that a number came from, by its number in the list of sources.
    sources: Vec<(String, String)>,
}

/// A heading with what stands under it.
#[derive(Clone, Debug)]
struct Section {
    title: String,
    blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Clone, Debug)]
enum Block {
    /// A paragraph.
    Text(Vec<Inline>),
    /// A list.
    List(Vec<Vec<Inline>>),
    /// A table with a heading; the first row are the headings of its columns.
    Table { title: Vec<Inline>, heads: Vec<String>, rows: Vec<Vec<Vec<Inline>>> },
}

/// A part of a line.
#[derive(Clone, Debug)]
enum Inline {
    /// Words.
    Words(String),
    /// Words that nobody has written yet.
    Unwritten(String),
    /// A digest, a file's name.
    Code(String),
    /// A number, or a text out of a file, with the number of its source.
    Fact(String, usize),
}

impl Inline {
    fn text(&self) -> &str {
        match self {
            Self::Words(text) | Self::Unwritten(text) | Self::Code(text) | Self::Fact(text, _) => text,
        }
    }
}

/// Where the numbers of a card come from, while it is made.
struct Sources {
    list: Vec<(String, String)>,
    by_file: BTreeMap<String, usize>,
}

impl Sources {
    /// The number of a source.
    fn of(&mut self, file: &str, sha256: &str) -> usize {
        *self.by_file.entry(file.to_owned()).or_insert_with(|| {
            self.list.push((file.to_owned(), sha256.to_owned()));
            self.list.len()
        })
    }
}

impl Card {
    /// The card of a release folder as it is now, for a stage.
    ///
    /// # Errors
    /// If evidence is there but cannot be read.
    pub fn new(release: &Release, model: &Identity, stage: Stage) -> Result<Self, Error> {
        sections::card(release, model, stage)
    }

    /// What in it is still to be written.
    pub fn unwritten(&self) -> Vec<&str> {
        let lines = self.sections.iter().flat_map(|section| &section.blocks).flat_map(|block| match block {
            Block::Text(line) => vec![line],
            Block::List(lines) => lines.iter().collect(),
            Block::Table { title, rows, .. } => rows.iter().flatten().chain([title]).collect(),
        });
        let marked = |part: &Inline| matches!(part, Inline::Unwritten(_));
        lines.flatten().filter(|part| marked(part)).map(Inline::text).collect()
    }
}

/// A number as the card shows it: whole ones with all digits, others with four that count.
pub(crate) fn number(x: f64) -> String {
    if x == 0.0 || (x.fract() == 0.0 && x.abs() < 1e15) {
        return format!("{x}");
    }
    let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_four_digits() {
        for (x, shown) in
            [(0.0, "0"), (12697600.0, "12697600"), (1.5401, "1.54"), (0.012345, "0.01235"), (-3.14159, "-3.142"), (98765.4, "98765")]
        {
            assert_eq!(number(x), shown);
        }
    }
}
