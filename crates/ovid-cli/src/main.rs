//! The command `ovid`.
fn main() {}
