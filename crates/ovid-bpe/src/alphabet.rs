//! GPT-2's alphabet: one printable character for each byte, in which vocabulary files are written.

/// First character past Latin-1: the bytes without a printable character of their own take it and those after, in rising order.
const EXTRA: u32 = 0x100;

/// True for bytes that stand for themselves.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The bytes in GPT-2's order of ids: printable ones first, then the rest.
pub(crate) fn bytes_in_order() -> impl Iterator<Item = u8> {
    (0..=255).filter(|&b| is_plain(b)).chain((0..=255).filter(|&b| !is_plain(b)))
}

/// The character that stands for each byte.
pub(crate) fn characters() -> [char; 256] {
    let mut table = ['\0'; 256];
    let mut extra = EXTRA;
    for byte in 0..=255_u8 {
        let code = if is_plain(byte) {
            u32::from(byte)
        } else {
            extra += 1;
            extra - 1
        };
        table[byte as usize] = char::from_u32(code).expect("codes below U+0144 are characters");
    }
    table
}

/// From characters back to bytes.
pub(crate) struct Reader([Option<u8>; 0x144]);

impl Reader {
    pub(crate) fn new() -> Self {
        let mut table = [None; 0x144];
        for (byte, c) in characters().into_iter().enumerate() {
            table[c as usize] = Some(byte as u8);
        }
        Self(table)
    }

    /// Appends the bytes that `token` stands for, or says which character stands for none.
    pub(crate) fn read(&self, token: &str, bytes: &mut Vec<u8>) -> Result<(), char> {
        for c in token.chars() {
            bytes.push(self.0.get(c as usize).copied().flatten().ok_or(c)?);
        }
        Ok(())
    }
}

/// Writes bytes in the alphabet.
pub(crate) fn write(bytes: &[u8], characters: &[char; 256]) -> String {
    bytes.iter().map(|&b| characters[b as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_gpt2s() {
        assert_eq!(write(b" a\n\x7f\xad\xff", &characters()), "\u{120}a\u{10a}\u{121}\u{143}\u{ff}");
        assert_eq!(bytes_in_order().next(), Some(b'!'));
        assert_eq!(bytes_in_order().last(), Some(0xAD));
        let every: Vec<u8> = (0..=255).collect();
        let mut back = Vec::new();
        Reader::new().read(&write(&every, &characters()), &mut back).unwrap();
        assert_eq!(back, every);
        assert_eq!(Reader::new().read("a b", &mut back), Err(' '));
    }
}
