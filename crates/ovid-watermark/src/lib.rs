//! Watermarks: text that a key's holder can recognise, and nobody else.
//!
//! In: token ids, and the scores or weights of the next token; or the ids of a text to be judged. Out: marked choices; p-values. It knows no model and draws
//! nothing: whoever samples calls a [`Marker`] at each token, and [`Detector`] needs the text and the key alone.
//!
//! Three schemes, one file each: the green list (Kirchenbauer et al. 2023), the exponential or Gumbel scheme (Aaronson 2022), tournament sampling (Dathathri
//! et al. 2024, "SynthID-Text"). They share the keyed random words of `prf.rs` and two rules: a context that came before in the same text is not marked
//! again, and the detector counts each context once, so that under no watermark what it counts is independent and the p-value holds for every text.

mod detect;
mod error;
mod green_list;
mod gumbel;
mod key;
mod mark;
mod prf;
mod scheme;
mod tournament;

pub use detect::{Detector, Evidence, Judged, Judgement, Passage, Trial, Verdict};
pub use error::Error;
pub use key::{Key, KeyId, NewKey};
pub use mark::{Choice, Marker, Watermark};
pub use scheme::{GreenList, Gumbel, Mark, Scheme, Tournament};
