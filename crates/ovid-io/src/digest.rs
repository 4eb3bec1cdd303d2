//! SHA-256 of files and folders: what names a model in outputs and a shard in its manifest.
//!
//! A folder's digest is the SHA-256 of its lines `name sha256\n`, one a file, sorted by name (bytes; `/` between the parts of a name in a sub-folder).
//! Hidden entries (names that begin with a dot) are not part of it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{Error, Observer, Progress};

/// The SHA-256 of bytes, as 64 lower-case hexadecimal digits.
///
/// ```
/// assert_eq!(&ovid_io::digest::sha256(b"abc")[..8], "ba7816bf");
/// ```
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file, read as a stream.
///
/// # Errors
/// If the file cannot be read, or the observer cancels.
pub fn sha256_file(path: &Path, observer: &dyn Observer) -> Result<String, Error> {
    let refuse = |cause| Error::io(path, "read", cause);
    let mut file = File::open(path).map_err(refuse)?;
    let total = file.metadata().map_err(refuse)?.len();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => continue,
            n => n.map_err(refuse)?,
        };
        hasher.update(&buffer[..n]);
        done += n as u64;
        observer.progress(Progress { stage: "hashing", done, total: Some(total), unit: "bytes" });
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
}

/// The digest of a folder (see the module's doc), or of a single file where `path` is one.
///
/// # Errors
/// If something in it cannot be read or has a name that is not UTF-8, or the observer cancels.
pub fn sha256_tree(path: &Path, observer: &dyn Observer) -> Result<String, Error> {
    if !path.is_dir() {
        return sha256_file(path, observer);
    }
    let mut files = Vec::new();
    list(path, "", &mut files)?;
    files.sort();
    let mut lines = String::new();
    for name in files {
        let digest = sha256_file(&path.join(&name), observer)?;
        lines.push_str(&name);
        lines.push(' ');
        lines.push_str(&digest);
        lines.push('\n');
    }
    Ok(sha256(lines.as_bytes()))
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<(), Error> {
    let refuse = |cause| Error::io(folder, "list", cause);
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(Error::unsupported(&entry.path(), crate::Place::Whole, "a file name that is not UTF-8"));
        };
        if name.starts_with('.') {
            continue;
        }
        let full = format!("{prefix}{name}");
        // Links to files are followed (the hub's cache is made of them), links to folders are not: they may go in circles.
        if entry.file_type().map_err(refuse)?.is_dir() {
            list(&entry.path(), &format!("{full}/"), files)?;
        } else if entry.path().is_file() {
            files.push(full);
        }
    }
    Ok(())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// True for 64 lower-case hexadecimal digits.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    #[test]
    fn a_folder_is_the_digest_of_its_sorted_lines() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/x"), "1").unwrap();
        fs::write(folder.path().join("a"), "2").unwrap();
        fs::write(folder.path().join(".hidden"), "3").unwrap();
        let lines = format!("a {}\nb/x {}\n", sha256(b"2"), sha256(b"1"));
        assert_eq!(sha256_tree(folder.path(), &Silent).unwrap(), sha256(lines.as_bytes()));
    }
}
