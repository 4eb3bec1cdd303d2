//! A file's bytes, unpacked while they are read, with the place in the file at which a broken stream breaks.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

const GZIP: [u8; 3] = [0x1F, 0x8B, 0x08];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BUFFER_BYTES: usize = 1 << 17;

/// Why a file or a part of one could not be read: a word that is counted, and the particulars.
#[derive(Debug)]
pub(crate) struct Refused {
    pub reason: &'static str,
    pub detail: String,
}

impl Refused {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What a file holds, unpacked.
pub(crate) struct Input {
    reader: BufReader<Packed>,
}

enum Packed {
    Plain(Raw),
    Gzip(Box<MultiGzDecoder<Raw>>),
    Zstd(zstd::stream::read::Decoder<'static, Raw>),
    /// While the gzip reader is being replaced, and where nothing more is to be read.
    Nothing,
}

impl Read for Packed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Zstd(decoder) => decoder.read(buf),
            Self::Nothing => Ok(0),
        }
    }
}

/// The file as it lies. It counts what is taken from it, and can be given back the first bytes of a gzip member that were looked at.
struct Raw {
    given_back: &'static [u8],
    file: BufReader<File>,
    at: u64,
    overall: Arc<AtomicU64>,
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given_back.is_empty() { self.file.fill_buf() } else { Ok(self.given_back) }
    }

    fn consume(&mut self, n: usize) {
        if self.given_back.is_empty() {
            self.file.consume(n);
        } else {
            self.given_back = &self.given_back[n..];
        }
        self.at += n as u64;
        self.overall.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Raw {
    /// Goes to the next place that looks like the beginning of a gzip member; false at the end of the file.
    fn find_gzip(&mut self) -> io::Result<bool> {
        let mut n_matched = 0;
        loop {
            let Some(&byte) = self.fill_buf()?.first() else { return Ok(false) };
            self.consume(1);
            // No proper suffix of the three bytes is their beginning, so that a mismatch starts anew with the byte in hand.
            n_matched = if byte == GZIP[n_matched] { n_matched + 1 } else { usize::from(byte == GZIP[0]) };
            if n_matched == GZIP.len() {
                self.given_back = &GZIP;
                self.at -= GZIP.len() as u64;
                self.overall.fetch_sub(GZIP.len() as u64, Ordering::Relaxed);
                return Ok(true);
            }
        }
    }
}

impl Input {
    /// Opens a file. How it is packed is told by its first bytes; a name that promises otherwise is refused.
    pub fn open(path: &Path, overall: Arc<AtomicU64>) -> Result<Self, Refused> {
        let refuse = |cause: io::Error| Refused::new("unreadable", plain(&cause));
        let file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(refuse)?);
        let mut raw = Raw { given_back: &[], file, at: 0, overall };
        let start = raw.fill_buf().map_err(refuse)?;
        if start.is_empty() {
            return Err(Refused::new("empty", "the file is empty"));
        }
        let (is_gzip, is_zstd) = (start.starts_with(&GZIP), start.starts_with(&ZSTD));
        let promised = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if (promised == "gz" && !is_gzip) || (promised == "zst" && !is_zstd) {
            return Err(Refused::new("broken", format!("the name ends in .{promised}, but the file is not packed so")));
        }
        let packed = if is_gzip {
            Packed::Gzip(Box::new(MultiGzDecoder::new(raw)))
        } else if is_zstd {
            Packed::Zstd(zstd::stream::read::Decoder::with_buffer(raw).map_err(refuse)?)
        } else {
            Packed::Plain(raw)
        };
        Ok(Self { reader: BufReader::with_capacity(BUFFER_BYTES, packed) })
    }

    /// The next line with its `\n`, empty at the end. A line longer than `limit` comes without its end; [`Input::skip_line`] leaves the rest.
    pub fn line(&mut self, limit: usize, line: &mut Vec<u8>) -> io::Result<usize> {
        line.clear();
        self.reader.by_ref().take(limit as u64).read_until(b'\n', line)
    }

    /// Goes behind the next `\n`.
    pub fn skip_line(&mut self) -> io::Result<usize> {
        self.reader.skip_until(b'\n')
    }

    /// The next `n` bytes, or as many as there are.
    pub fn bytes(&mut self, n: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(n.min(1 << 20) as usize);
        self.reader.by_ref().take(n).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `n` bytes; how many there were.
    pub fn skip(&mut self, n: u64) -> io::Result<u64> {
        io::copy(&mut self.reader.by_ref().take(n), &mut io::sink())
    }

    /// What a failed read means, with its place in the file.
    pub fn refused(&self, cause: &io::Error) -> Refused {
        let at = match self.reader.get_ref() {
            Packed::Plain(raw) => raw.at,
            Packed::Gzip(decoder) => decoder.get_ref().at,
            Packed::Zstd(decoder) => decoder.get_ref().at,
            Packed::Nothing => 0,
        };
        match cause.kind() {
            _ if cause.raw_os_error().is_some() => Refused::new("unreadable", plain(cause)),
            io::ErrorKind::UnexpectedEof => Refused::new("cut-off", format!("the packed stream is cut off at byte {at}")),
            _ => Refused::new("broken", format!("the packed stream is broken before byte {at}: {cause}")),
        }
    }

    /// After a failed read: goes on at the next gzip member, if there is one. Files packed otherwise end here.
    pub fn resume(&mut self) -> bool {
        let Packed::Gzip(decoder) = std::mem::replace(self.reader.get_mut(), Packed::Nothing) else { return false };
        let mut raw = decoder.into_inner();
        let found = raw.find_gzip().unwrap_or(false);
        if found {
            *self.reader.get_mut() = Packed::Gzip(Box::new(MultiGzDecoder::new(raw)));
        }
        found
    }
}

/// The system's message without its number.
pub(crate) fn plain(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
