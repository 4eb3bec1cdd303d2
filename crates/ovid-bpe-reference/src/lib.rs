//! Holds `ovid-bpe` against independent tokenizers: `tiktoken-rs`, Hugging Face's `tokenizers`, and the pattern run by `fancy-regex`.
//!
//! There is nothing here but tests (`tests/`), so that what they need is built for no one else. `OVID_FULL=1` compares on every document of ../shared/data/corpus
//! instead of every 40th; `OVID_UPDATE=1` writes ovid-bpe's table of letters and numbers anew.
