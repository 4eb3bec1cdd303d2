//! Lists of files with their digests: what a record and a manifest vouch for. A list is untrusted input to whoever verifies.

use std::fs;
use std::path::{Component, Path, PathBuf};

use ovid_io::{Observer, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::Error;

/// A file by place and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its place in the folder, `/` between the parts.
    pub path: String,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Something that is not as a list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// Whether two digests are the same, in a time that does not depend on where they differ.
pub(crate) fn same_digest(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// All files under `folder` but those that `skip` names, sorted by path.
pub(crate) fn list(folder: &Path, skip: impl Fn(&str) -> bool + Copy, observer: &dyn Observer) -> Result<Vec<FileEntry>, Error> {
    let mut paths = Vec::new();
    walk(folder, "", skip, &mut paths)?;
    paths.sort();
    let entry = |path: String| {
        let file = folder.join(&path);
        let n_bytes = fs::metadata(&file).map_err(|e| ovid_io::Error::io(&file, "read", e))?.len();
        Ok(FileEntry { n_bytes, sha256: digest::sha256_file(&file, observer)?, path })
    };
    paths.into_iter().map(entry).collect()
}

/// The paths of all files under `folder`; links and names that are not plain are refused, since nobody could vouch for what they lead to.
fn walk(folder: &Path, prefix: &str, skip: impl Fn(&str) -> bool + Copy, into: &mut Vec<String>) -> Result<(), Error> {
    let refuse = |cause| ovid_io::Error::io(folder, "list", cause);
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let name = entry.file_name();
        let full = format!("{prefix}{}", name.to_string_lossy());
        if skip(&full) {
            continue;
        }
        let unfit = |what: &str| Error::Asked(format!("'{}': {what}", entry.path().display()));
        if name.to_str().is_none() || plain_path(&full).is_none() {
            return Err(unfit("a name that cannot stand in a list of files"));
        }
        let kind = entry.file_type().map_err(refuse)?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{full}/"), skip, into)?;
        } else if kind.is_file() {
            into.push(full);
        } else {
            return Err(unfit("neither a file nor a folder; a link leads out of what is vouched for"));
        }
    }
    Ok(())
}

/// A path of a list as a path of the system, where every part of it is a plain name: nothing absolute, no `..`, no hidden way out.
pub(crate) fn plain_path(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let plain = !text.is_empty()
        && text.len() < 1024
        && !text.contains(['\\', '\0', ':', '\n', '\r'])
        && !text.split('/').any(|part| part.is_empty() || part == "." || part.ends_with(' '))
        && path.components().all(|c| matches!(c, Component::Normal(_)));
    plain.then(|| path.to_owned())
}

/// Holds the files under `folder` against a list: what is missing, changed, a link, listed badly, or there without being listed.
pub(crate) fn compare(
    folder: &Path,
    entries: &[FileEntry],
    skip: impl Fn(&str) -> bool + Copy,
    observer: &dyn Observer,
) -> Result<Vec<Fault>, Error> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, what: String| faults.push(Fault { path: path.to_owned(), what });
    let mut listed = std::collections::BTreeSet::new();
    for entry in entries {
        let Some(relative) = plain_path(&entry.path) else {
            fault(&entry.path, "the list names a path that leaves the folder or is not plain".to_owned());
            continue;
        };
        if !listed.insert(entry.path.as_str()) {
            fault(&entry.path, "it is listed twice".to_owned());
            continue;
        }
        if let Some(link) = first_link(folder, &relative) {
            fault(&entry.path, format!("'{link}' is a link"));
            continue;
        }
        let path = folder.join(&relative);
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => fault(&entry.path, "it is missing".to_owned()),
            Err(e) => return Err(ovid_io::Error::io(&path, "read", e).into()),
            Ok(found) if !found.is_file() => fault(&entry.path, "it is no file".to_owned()),
            Ok(found) if found.len() != entry.n_bytes => fault(&entry.path, format!("it has {} bytes, not {}", found.len(), entry.n_bytes)),
            Ok(_) => {
                let sha256 = digest::sha256_file(&path, observer)?;
                if !same_digest(&sha256, &entry.sha256) {
                    fault(&entry.path, format!("its bytes have changed: its SHA-256 is {sha256}, not {}", entry.sha256));
                }
            }
        }
    }
    let mut there = Vec::new();
    match walk(folder, "", skip, &mut there) {
        Ok(()) => {}
        Err(Error::Asked(what)) => fault(".", what),
        Err(e) => return Err(e),
    }
    there.sort();
    for path in there.iter().filter(|path| !listed.contains(path.as_str())) {
        fault(path, "it is there, but nobody vouches for it".to_owned());
    }
    Ok(faults)
}

/// The first part of a path below `folder` that is a link.
fn first_link(folder: &Path, relative: &Path) -> Option<String> {
    let mut path = PathBuf::new();
    for part in relative.components() {
        path.push(part);
        if folder.join(&path).is_symlink() {
            return Some(path.display().to_string());
        }
    }
    None
}

/// Reads a whole file that should be small.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, Error> {
    /// Records and evidence are megabytes at most.
    const MOST: u64 = 64 << 20;
    let refuse = |cause| ovid_io::Error::io(path, "read", cause);
    let n_bytes = fs::metadata(path).map_err(refuse)?.len();
    if n_bytes > MOST {
        return Err(
            ovid_io::Error::malformed(path, ovid_io::Place::Whole, format!("{n_bytes} bytes are too many for what it should be")).into()
        );
    }
    Ok(fs::read(path).map_err(refuse)?)
}

/// Writes a serialisable value as indented JSON with a newline at its end.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let text = json_text(path, value)?;
    Ok(ovid_io::atomic::write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))?)
}

/// A serialisable value as indented JSON with a newline at its end.
pub(crate) fn json_text(path: &Path, value: &impl Serialize) -> Result<String, Error> {
    let cause = |e: serde_json::Error| ovid_io::Error::unwritable(path, ovid_io::Place::Whole, e.to_string());
    Ok(serde_json::to_string_pretty(value).map_err(cause)? + "\n")
}

/// Reads JSON of a known form.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = read_small(path)?;
    let wrong = |e: serde_json::Error| ovid_io::Error::malformed(path, ovid_io::Place::Line(e.line() as u64), e.to_string());
    Ok(serde_json::from_slice(&bytes).map_err(wrong)?)
}

/// Reads TOML of a known form.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = read_small(path)?;
    let malformed = |cause: String| ovid_io::Error::malformed(path, ovid_io::Place::Whole, cause);
    let text = String::from_utf8(bytes).map_err(|e| malformed(e.to_string()))?;
    Ok(toml::from_str(&text).map_err(|e| malformed(e.to_string().trim_end().replace('\n', " ")))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovid_io::Silent;

    #[test]
    fn a_path_that_leaves_the_folder_is_none() {
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "c:x", "a/", "a/./b", "x\n"] {
            assert!(plain_path(bad).is_none(), "{bad:?}");
        }
        for good in ["a", "a/b.json", ".hidden", "a..b"] {
            assert!(plain_path(good).is_some(), "{good:?}");
        }
    }

    #[test]
    fn every_way_in_which_a_folder_can_differ_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("d")).unwrap();
        for name in ["same", "changed", "shorter", "gone", "d/inner"] {
            fs::write(root.join(name), "12345").unwrap();
        }
        let mut entries = list(root, |_| false, &Silent).unwrap();
        fs::write(root.join("changed"), "12346").unwrap();
        fs::write(root.join("shorter"), "1").unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        fs::write(root.join("extra"), "").unwrap();
        entries.push(FileEntry { path: "../../etc/passwd".to_owned(), n_bytes: 5, sha256: entries[0].sha256.clone() });
        let faults: Vec<String> =
            compare(root, &entries, |_| false, &Silent).unwrap().into_iter().map(|f| format!("{}: {}", f.path, f.what)).collect();
        let has = |path: &str, what: &str| assert!(faults.iter().any(|f| f.starts_with(path) && f.contains(what)), "{path}: {faults:#?}");
        has("changed", "bytes have changed");
        has("shorter", "1 bytes, not 5");
        has("gone", "missing");
        has("extra", "nobody vouches");
        has("../../etc", "leaves the folder");
        assert_eq!(faults.len(), 5, "{faults:#?}");
    }

    #[test]
    #[cfg(unix)]
    fn links_are_refused_also_above_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("real/f"), "x").unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let entry = FileEntry { path: "link/f".to_owned(), n_bytes: 1, sha256: digest::sha256(b"x") };
        let faults = compare(root, &[entry], |p| p == "real", &Silent).unwrap();
        assert!(faults.iter().any(|f| f.path == "link/f" && f.what == "'link' is a link"), "{faults:?}");
        assert!(list(root, |_| false, &Silent).unwrap_err().to_string().contains("a link leads out"));
    }
}
