//! An HTTP response as a crawler stored it: status, headers, and the body freed of its codings (RFC 9112).

use std::io::Read;

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, &'a str)>,
    body: &'a [u8],
}

/// What came of taking a body's codings off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes that were meant.
    Whole(Vec<u8>),
    /// It would be larger than the limit.
    TooLarge,
    /// It is not packed as it says.
    Broken(String),
    /// A coding that Ovid does not read.
    Unsupported(String),
}

impl<'a> Response<'a> {
    /// Reads the head.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (head_end, body_start) = end_of_head(bytes);
        let head = std::str::from_utf8(&bytes[..head_end]).or_else(|e| {
            // Header values in Latin-1 are old practice and none of those read here: what stands before the first is enough.
            std::str::from_utf8(&bytes[..e.valid_up_to()])
        });
        let mut lines = head.map_err(|e| e.to_string())?.lines();
        let first = lines.next().unwrap_or_default();
        let status = first.strip_prefix("HTTP/").and_then(|rest| rest.split_ascii_whitespace().nth(1)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| format!("no HTTP status line: {:?}", first.chars().take(40).collect::<String>()))?;
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()));
        Ok(Self { status, headers: headers.collect(), body: &bytes[body_start..] })
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// The body without its codings, at most `limit` bytes. Crawlers often store a body decoded and leave the headers as they were: a body that does not look coded is taken as it is.
    pub fn body(&self, limit: usize) -> Body {
        let is_chunked = self.header("transfer-encoding").is_some_and(|t| t.to_ascii_lowercase().contains("chunked"));
        let whole = if is_chunked { unchunk(self.body) } else { None };
        let bytes = whole.as_deref().unwrap_or(self.body);
        let coding = self.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
        match coding.as_str() {
            "gzip" | "x-gzip" if bytes.starts_with(&[0x1F, 0x8B]) => unpack(flate2::read::MultiGzDecoder::new(bytes), limit),
            // What is called deflate is zlib's format by the standard and often without its frame in practice.
            "deflate" if bytes.first().is_some_and(|b| b & 0x0F == 8) => unpack(flate2::read::ZlibDecoder::new(bytes), limit),
            "deflate" if std::str::from_utf8(bytes).is_err() => unpack(flate2::read::DeflateDecoder::new(bytes), limit),
            "zstd" if bytes.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) => match zstd::stream::read::Decoder::with_buffer(bytes) {
                Ok(decoder) => unpack(decoder, limit),
                Err(cause) => Body::Broken(cause.to_string()),
            },
            "br" | "compress" if std::str::from_utf8(bytes).is_err() => Body::Unsupported(coding),
            _ if bytes.len() > limit => Body::TooLarge,
            _ => Body::Whole(bytes.to_vec()),
        }
    }
}

fn end_of_head(bytes: &[u8]) -> (usize, usize) {
    let mut at = 0;
    while let Some(n) = memchr::memchr(b'\n', &bytes[at..]) {
        at += n + 1;
        match &bytes[at..] {
            [b'\n', ..] => return (at, at + 1),
            [b'\r', b'\n', ..] => return (at, at + 2),
            _ => {}
        }
    }
    (bytes.len(), bytes.len())
}

/// The chunks put together; nothing where this is no chunked body.
fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = memchr::memchr(b'\n', &bytes[..bytes.len().min(1 << 10)])?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[end + 1..];
        if size == 0 {
            return Some(whole);
        }
        // A body that was cut gives what there is of it.
        let taken = size.min(bytes.len());
        whole.extend_from_slice(&bytes[..taken]);
        bytes = &bytes[taken..];
        bytes = bytes.strip_prefix(b"\r\n").or(bytes.strip_prefix(b"\n")).unwrap_or(bytes);
        if bytes.is_empty() {
            return Some(whole);
        }
    }
}

fn unpack(decoder: impl Read, limit: usize) -> Body {
    let mut bytes = Vec::new();
    match decoder.take(limit as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Body::TooLarge,
        Ok(_) => Body::Whole(bytes),
        Err(cause) => Body::Broken(format!("the packed body: {cause}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn check(head: &str, body: &[u8], expected: &Body) {
        let bytes = [format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat();
        assert_eq!(&Response::parse(&bytes).unwrap().body(100), expected, "{head}");
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn codings_are_taken_off() {
        let hello = Body::Whole(b"hello".to_vec());
        check("", b"hello", &hello);
        check("Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", &hello);
        check("Content-Encoding: gzip\r\n", &gzip(b"hello"), &hello);
        // Stored decoded, headers left as they were.
        check("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b"hello", &hello);
        check("content-encoding: GZIP\r\n", &gzip(&[b'x'; 101]), &Body::TooLarge);
        check("Content-Encoding: br\r\n", b"\x0b\x02\x80\xff", &Body::Unsupported("br".into()));
        let cut = gzip(b"hello hello hello");
        let bytes = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", &cut[..cut.len() - 9]].concat();
        assert!(matches!(Response::parse(&bytes).unwrap().body(100), Body::Broken(_)));
    }

    #[test]
    fn heads_of_all_kinds() {
        let check = |bytes: &[u8], status: Option<u16>| assert_eq!(Response::parse(bytes).ok().map(|r| r.status), status);
        check(b"HTTP/1.0 404 Not Found\n\nx", Some(404));
        check(b"HTTP/2 200\r\n\r\n", Some(200));
        check(b"HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\n\r\n", Some(200));
        check(b"<html>", None);
        check(b"", None);
    }
}
