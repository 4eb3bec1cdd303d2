//! A hasher for keys that are hashes already.

use std::hash::{BuildHasherDefault, Hasher};

/// Takes a `u64` or `u32` as its own hash, mixed once so that both the high and the low bits vary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnHash(u64);

/// Builds [`OwnHash`].
pub(crate) type AsItIs = BuildHasherDefault<OwnHash>;

impl Hasher for OwnHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u32(&mut self, key: u32) {
        self.write_u64(u64::from(key));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
