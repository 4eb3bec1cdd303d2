//! Memorisation: which n-grams of a text stand in a training corpus, where, and whether samples hold more of them than human text does.
//!
//! In: a corpus, made once into an index; sets of documents. Out: overlap percentages, copied spans with the training passage that each comes from, a report.
//! Follows Radford et al. 2019, section 4 and appendix 8.2 (8-grams of lower-cased words, a Bloom filter of false-positive rate below 1e-8), and confirms every
//! hit of the filter in an exact index. Knows no model; may import ovid-bpe (character classes), ovid-figures, ovid-stats and ovid-io.
//!
//! ```
//! use ovid_io::Silent;
//! use ovid_overlap::{Ask, Build, Index, Read, Set, Split, measure};
//! # let folder = tempfile::tempdir()?;
//! let (training, sample) = (folder.path().join("training.txt"), folder.path().join("sample.txt"));
//! std::fs::write(&training, "It was the best of times, it was the worst of times, it was the age of wisdom.")?;
//! std::fs::write(&sample, "He said: it was the BEST of times -- it was the worst of days.")?;
//!
//! let index = folder.path().join("training.index");
//! Build::default().write(&[training], Split::All, &index, &Silent)?;
//! let index = Index::open(&index)?;
//! let set = Set::new("samples", vec![sample], Read::default());
//! let measured = measure(&index, &set, Ask::default(), &Silent)?;
//! // Of the 7 runs of 8 words, 4 stand in the training text: those of "it was the best of times it was the worst of".
//! assert_eq!((measured.figures.n_grams, measured.figures.hits), (7, 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod build;
mod error;
mod filter;
mod index;
mod measure;
mod passages;
mod proof;
mod query;
pub mod report;
mod sets;
mod spans;
mod table;
mod words;

pub use build::{Build, Built, Split};
pub use error::Error;
pub use filter::{Design, Segment};
pub use index::{DocumentEntry, Index, Position};
pub use measure::{Ask, DocumentOverlap, Measured, Worst, measure};
pub use passages::{Passage, passages};
pub use proof::random_strings;
pub use query::Hit;
pub use sets::{Read, Set, SetDocument};
pub use spans::{Span, spans};
pub use table::{Cleaned, TableRow, clean};
pub use words::{NORMALISATION, Words};
