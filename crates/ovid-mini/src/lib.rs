//! The model built into Ovid, as data.
