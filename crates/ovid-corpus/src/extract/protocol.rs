//! What passes between the program and its workers: messages with their length before them (4 bytes, little-endian). Neither side believes the other's lengths.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Empty, Extracted, PageLimits, Settings};

/// No page and no text is longer.
const MESSAGE_BYTES: u32 = 1 << 30;

/// The first message to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub limits: PageLimits,
    pub settings: Settings,
}

/// What a worker is told of a page; its bytes are the next message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub url: Option<String>,
    pub content_type: Option<String>,
}

/// What a worker says of a page.
pub(super) type Answer = Result<Extracted, Empty>;

pub(super) fn write(out: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok().filter(|n| *n <= MESSAGE_BYTES).ok_or(io::ErrorKind::FileTooLarge)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(message)?;
    out.flush()
}

/// The next message, or nothing where the other side has ended.
pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read(&mut length)? {
        0 => return Ok(None),
        n => input.read_exact(&mut length[n..])?,
    }
    let length = u32::from_le_bytes(length);
    if length > MESSAGE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut message = Vec::with_capacity(length.min(1 << 20) as usize);
    if input.take(u64::from(length)).read_to_end(&mut message)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    write(out, &serde_json::to_vec(value)?)
}

pub(super) fn read_json<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    read(input)?.map(|message| serde_json::from_slice(&message).map_err(io::Error::from)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_lies_are_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"abc").unwrap();
        write(&mut bytes, b"").unwrap();
        let mut input = &bytes[..];
        assert_eq!(read(&mut input).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(read(&mut input).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(read(&mut input).unwrap(), None);
        for cut in 1..7 {
            assert!(read(&mut &bytes[..cut]).is_err(), "{cut}");
        }
        assert!(read(&mut &[0xFF; 9][..]).is_err());
    }
}
