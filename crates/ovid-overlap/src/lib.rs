//! Memorisation: which n-grams of a text stand in a training corpus, where, and whether samples hold more of them than human text does.
//!
//! Follows Radford et al. 2019, section 4 and appendix 8.2. Knows no model.

pub mod report;
