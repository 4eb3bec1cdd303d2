//! Release with evidence: whether a model may go out, to whom, and how a stranger checks what is said of it.
//!
//! In: a release folder (`release.toml`, `checklist.toml`, signers, signed statements, evidence) and the model. Out: which items hold and what is missing; a model
//! card whose numbers name their source; an export with a signed manifest; its verification; a copy traced to the person it was made for.
//! Follows the machine-learning reproducibility checklist (Pineau et al. 2020), model cards (Mitchell et al. 2019), the staged release of GPT-2 (Solaiman et al.
//! 2019); signatures are minisign's. It measures nothing of the evidence itself but bits per byte and probes ([`measure`]), and judges no person's words.

pub mod card;
pub mod check;
pub mod checklist;
mod error;
mod evidence;
pub mod export;
mod files;
pub mod fingerprint;
mod folder;
mod identity;
pub mod init;
pub mod keys;
pub mod manifest;
pub mod measure;
pub mod record;
mod stage;
pub mod statement;
pub mod verify;

pub use check::{CheckReport, Options, check};
pub use error::Error;
pub use evidence::Evidence;
pub use files::FileEntry;
pub use folder::{Plan, Release};
pub use identity::Identity;
pub use stage::Stage;
