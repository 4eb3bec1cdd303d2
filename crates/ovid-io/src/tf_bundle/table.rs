//! The sorted table (`tensorflow/core/lib/io/format.h`, after `LevelDB`'s `table_format.md`): blocks of prefix-compressed entries, an index block that says
//! where they lie, and a footer that says where the index lies. Each block is followed by its compression type and its checksum.

use std::ops::Range;

use super::crc32c::Crc32c;
use super::proto::varint;
use crate::{Error, Mapped, Place};

const FOOTER_BYTES: usize = 48;
const TRAILER_BYTES: usize = 5;
const MAGIC: u64 = 0xDB47_7524_8B80_FB57;
/// Tensor names are a few dozen bytes long; without a bound a small file could unfold to a great one.
const MAX_KEY_BYTES: usize = 4096;
/// What all keys together may unfold to, as a multiple of the file.
const MAX_UNFOLDING: usize = 16;

/// What to do with the blocks' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    /// Hold the blocks against them.
    Verify,
    /// Pass over them: a fuzzer that changes bytes would never get behind them.
    Ignore,
}

/// Calls `each` with every key, its value, and the byte at which the entry begins, in rising order of keys.
pub(super) fn read(
    map: &Mapped,
    checksums: Checksums,
    mut each: impl FnMut(&[u8], &[u8], usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let at = |place: usize, cause: &str| Error::malformed(map.path(), Place::Byte(place as u64), cause);
    let Some(footer_at) = map.len().checked_sub(FOOTER_BYTES) else { return Err(at(0, "too short for the index of a checkpoint")) };
    let footer = &map[footer_at..];
    if !footer.ends_with(&MAGIC.to_le_bytes()) {
        return Err(at(map.len() - 8, "does not end as the index of a TensorFlow checkpoint does: the file is cut off or another"));
    }
    let mut handles = footer;
    // The first handle is that of the meta-index, which checkpoints leave empty.
    let index = handle(&mut handles, footer_at).and_then(|_| handle(&mut handles, footer_at));
    let index = index.ok_or_else(|| at(footer_at, "the footer points outside the file"))?;
    let mut last_key = None;
    let mut unfolded = 0;
    let mut data_end = 0;
    entries(map, &index, checksums, |_, mut value, place| {
        let block = handle(&mut value, footer_at).ok_or_else(|| at(place, "the index points outside the file"))?;
        // Blocks follow each other: an index that names one twice would make a small file cost a long time.
        if block.start < data_end {
            return Err(at(place, "the index names a block twice, or blocks that overlap"));
        }
        data_end = block.end;
        entries(map, &block, checksums, |key, value, place| {
            if last_key.as_deref().is_some_and(|last: &[u8]| last >= key) {
                return Err(at(place, "the keys do not rise"));
            }
            unfolded += key.len();
            if unfolded > MAX_UNFOLDING * map.len() {
                return Err(at(place, "the names unfold to far more than the file holds"));
            }
            last_key = Some(key.to_vec());
            each(key, value, place)
        })
    })
}

/// A block's place, without its trailer.
fn handle(bytes: &mut &[u8], footer_at: usize) -> Option<Range<usize>> {
    let offset = usize::try_from(varint(bytes)?).ok()?;
    let size = usize::try_from(varint(bytes)?).ok()?;
    let end = offset.checked_add(size)?;
    (end.checked_add(TRAILER_BYTES)? <= footer_at).then_some(offset..end)
}

fn entries(
    map: &Mapped,
    block: &Range<usize>,
    checksums: Checksums,
    mut each: impl FnMut(&[u8], &[u8], usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let malformed = |place: usize, cause: &str| Error::malformed(map.path(), Place::Byte(place as u64), cause);
    let trailer = &map[block.end..block.end + TRAILER_BYTES];
    let mut crc = Crc32c::new();
    crc.update(&map[block.start..=block.end]);
    if checksums == Checksums::Verify && crc.masked().to_le_bytes() != trailer[1..] {
        return Err(malformed(block.start, "the checksum of the block does not match its bytes: the file is damaged"));
    }
    match trailer[0] {
        0 => {}
        1 => return Err(Error::unsupported(map.path(), Place::Byte(block.end as u64), "snappy compression of the index")),
        n => return Err(Error::unsupported(map.path(), Place::Byte(block.end as u64), format!("compression {n} of the index"))),
    }
    let content = &map[block.clone()];
    let n_restarts = content.last_chunk().map(|n| u32::from_le_bytes(*n) as usize);
    let entries_len = n_restarts.and_then(|n| content.len().checked_sub(n.checked_mul(4)?.checked_add(4)?));
    let entries_len = entries_len.ok_or_else(|| malformed(block.start, "the block's restart points do not lie within it"))?;
    let mut rest = &content[..entries_len];
    let mut key: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let place = block.start + entries_len - rest.len();
        let value = entry(&mut rest, &mut key).map_err(|cause| malformed(place, cause))?;
        each(&key, value, place)?;
    }
    Ok(())
}

/// Reads one entry: `key` is changed from the last entry's to this one's.
fn entry<'a>(rest: &mut &'a [u8], key: &mut Vec<u8>) -> Result<&'a [u8], &'static str> {
    const CUT: &str = "an entry is longer than its block";
    let mut length = || varint(rest).and_then(|n| usize::try_from(n).ok()).ok_or(CUT);
    let (shared, own, value) = (length()?, length()?, length()?);
    if shared > key.len() {
        return Err("an entry shares more of the last key than there is");
    }
    let own = rest.split_off(..own).ok_or(CUT)?;
    let value = rest.split_off(..value).ok_or(CUT)?;
    if shared + own.len() > MAX_KEY_BYTES {
        return Err("a name is longer than 4096 bytes");
    }
    key.truncate(shared);
    key.extend(own);
    Ok(value)
}
