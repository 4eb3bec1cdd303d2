//! Holds `ovid-bpe` against independent tokenizers. There is nothing here but tests, so that what they need is built for no one else.
