//! A piece of evidence: a JSON file, its digest, and the numbers in it, each by its place.

use std::path::Path;

use ovid_io::digest;
use serde_json::Value;

use crate::Error;
use crate::files::{plain_path, read_small};

/// A file of evidence as it was read.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its place in the release folder.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    value: Value,
}

impl Evidence {
    /// Reads `file` in the release folder; `None` where it is not there.
    ///
    /// # Errors
    /// If its path leaves the folder, it cannot be read, or it is no JSON.
    pub fn read(folder: &Path, file: &str) -> Result<Option<Self>, Error> {
        let Some(relative) = plain_path(file) else {
            return Err(Error::Asked(format!("evidence '{file}': the path leaves the release folder")));
        };
        let path = folder.join(relative);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_small(&path)?;
        let wrong = |e: serde_json::Error| ovid_io::Error::malformed(&path, ovid_io::Place::Line(e.line() as u64), e.to_string());
        let value = serde_json::from_slice(&bytes).map_err(wrong)?;
        Ok(Some(Self { file: file.to_owned(), sha256: digest::sha256(&bytes), value }))
    }

    /// What stands at a place: a JSON pointer (RFC 6901) in which a part `name=value` picks, of a list, the element whose field `name` is `value`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("e.json"), r#"{"sets": [{"name": "samples", "percent": 1.5}]}"#)?;
    /// let evidence = ovid_release::Evidence::read(folder.path(), "e.json")?.unwrap();
    /// assert_eq!(evidence.number("/sets/name=samples/percent"), Some(1.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        at(&self.value, pointer)
    }

    /// The number at a place.
    pub fn number(&self, pointer: &str) -> Option<f64> {
        self.at(pointer)?.as_f64()
    }

    /// The text at a place.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer)?.as_str()
    }
}

/// What stands at a place of a value, see [`Evidence::at`].
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut found = value;
    for part in pointer.split('/').skip(1) {
        found = match (found, part.split_once('=')) {
            (Value::Array(list), Some((name, wanted))) => list.iter().find(|e| e.get(name).and_then(Value::as_str) == Some(wanted))?,
            (Value::Array(list), None) => list.get(part.parse::<usize>().ok()?)?,
            (Value::Object(fields), _) => fields.get(&part.replace("~1", "/").replace("~0", "~"))?,
            _ => return None,
        };
    }
    Some(found)
}
