//! Writing WARC 1.1, a gzip member a record.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A response as it is kept.
pub(super) struct Kept {
    pub url: String,
    pub score: Option<i64>,
    pub fetched_at: Duration,
    /// Status line and headers, with a blank line behind.
    pub head: String,
    pub body: Vec<u8>,
}

/// The record that begins a file and says who made it.
pub(super) fn write_info(out: &mut impl Write, at: Duration, user_agent: &str) -> io::Result<()> {
    let block = format!("software: {user_agent}\r\nformat: WARC file version 1.1\r\nrobots: RFC 9309\r\n");
    let mut header = header("warcinfo", at, &["warcinfo", &block], "application/warc-fields", block.len());
    header.push_str("\r\n");
    member(out, &[header.as_bytes(), block.as_bytes()])
}

/// A `response` record. The link's score stands in a field of our own, which the standard allows, so that documents know it.
pub(super) fn write_response(out: &mut impl Write, kept: &Kept) -> io::Result<()> {
    let n_bytes = kept.head.len() + kept.body.len();
    let digest = ovid_io::digest::sha256(&kept.body);
    let mut header = header("response", kept.fetched_at, &[&kept.url, &digest], "application/http;msgtype=response", n_bytes);
    let _ = write!(header, "WARC-Target-URI: {}\r\nWARC-Payload-Digest: sha256:{digest}\r\n", kept.url);
    if let Some(score) = kept.score {
        let _ = write!(header, "Ovid-Score: {score}\r\n");
    }
    header.push_str("\r\n");
    member(out, &[header.as_bytes(), kept.head.as_bytes(), &kept.body])
}

fn header(kind: &str, at: Duration, names: &[&str], content_type: &str, n_bytes: usize) -> String {
    let date = date(at);
    // A version 8 UUID (RFC 9562): what a record is names it.
    let d = ovid_io::digest::sha256(format!("{date}\n{}", names.join("\n")).as_bytes());
    let id = format!("{}-{}-8{}-a{}-{}", &d[..8], &d[8..12], &d[13..16], &d[17..20], &d[20..32]);
    format!(
        "WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{id}>\r\nWARC-Date: {date}\r\nContent-Type: {content_type}\r\nContent-Length: {n_bytes}\r\n"
    )
}

fn member(out: &mut impl Write, pieces: &[&[u8]]) -> io::Result<()> {
    let mut gzip = GzEncoder::new(out, Compression::new(6));
    for piece in pieces {
        gzip.write_all(piece)?;
    }
    gzip.write_all(b"\r\n\r\n")?;
    gzip.finish()?;
    Ok(())
}

/// The time since 1970, now.
pub(super) fn now() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// ISO 8601, to the second, UTC. The calendar is Howard Hinnant's `civil_from_days`.
fn date(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |seconds, expected: &str| assert_eq!(date(Duration::from_secs(seconds)), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_550_102_400, "2019-02-14T00:00:00Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
    }
}
