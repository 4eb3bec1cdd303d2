//! CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes at a time by tables, and `LevelDB`'s masking of it.

const POLYNOMIAL: u32 = 0x82F6_3B78;
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut t = 1;
    while t < 8 {
        let mut i = 0;
        while i < 256 {
            let below: u32 = tables[t - 1][i];
            tables[t][i] = below >> 8 ^ tables[0][(below & 0xff) as usize];
            i += 1;
        }
        t += 1;
    }
    tables
}

/// A checksum in the making.
pub(super) struct Crc32c(u32);

impl Crc32c {
    pub(super) fn new() -> Self {
        Self(!0)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        let (eights, rest) = bytes.as_chunks::<8>();
        let mut crc = self.0;
        for eight in eights {
            let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
            crc = (0..8).fold(0, |crc, i| crc ^ TABLES[7 - i][(word >> (8 * i)) as usize & 0xff]);
        }
        for byte in rest {
            crc = crc >> 8 ^ TABLES[0][(crc ^ u32::from(*byte)) as usize & 0xff];
        }
        self.0 = crc;
    }

    /// As stored: a checksum of bytes that hold checksums would be a bad one (`LevelDB`, `util/crc32c.h`).
    pub(super) fn masked(&self) -> u32 {
        (!self.0).rotate_right(15).wrapping_add(0xA282_EAD8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_rfc_3720_come_out() {
        let check = |bytes: &[u8], expected: u32| {
            let mut whole = Crc32c::new();
            whole.update(bytes);
            let mut pieces = Crc32c::new();
            bytes.chunks(5).for_each(|piece| pieces.update(piece));
            assert_eq!((!whole.0, !pieces.0), (expected, expected));
        };
        check(&[0; 32], 0x8A91_36AA);
        check(&[0xff; 32], 0x62A8_AB43);
        check(&(0..32).collect::<Vec<_>>(), 0x46DD_794E);
        check(b"123456789", 0xE306_9283);
    }
}
