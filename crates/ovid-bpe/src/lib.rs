//! Byte-level BPE: text to tokens and back, and training of vocabularies.
