//! Keys and their files.
//!
//! A key file is JSON: `{"format": "ovid-watermark-key/1", "id": 16 hex digits, "secret": 64 hex digits}` and, where it was given, a `name`. Only its owner may
//! read it. The identity is made from the secret by one-way arithmetic: it may be published, and it tells a damaged key from a whole one.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ovid_io::atomic::AtomicFile;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Error;

const FORMAT: &str = "ovid-watermark-key/1";
/// No key file is longer.
const LONGEST_FILE: u64 = 1 << 16;

/// Which key, for records: 16 hexadecimal digits that say nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        from_hex(text).map(Self).ok_or_else(|| "the identity of a key is 16 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// A secret of 256 bits. Neither `Debug` nor any error shows it.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    name: Option<String>,
    secret: [u8; 32],
    /// HMAC-SHA256 with the secret taken in already.
    keyed: Hmac<Sha256>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id.to_string()).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What `ovid watermark keygen --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// The key's identity.
    pub id: KeyId,
    /// Where it lies.
    pub file: PathBuf,
}

/// The file's fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    format: String,
    id: KeyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    secret: String,
}

impl Key {
    /// The key of a secret, which must come from the system's random numbers.
    pub fn new(secret: [u8; 32], name: Option<String>) -> Self {
        let keyed = Hmac::<Sha256>::new_from_slice(&secret).expect("HMAC takes keys of any length");
        let digest = keyed.clone().chain_update("ovid-watermark/1 identity").finalize().into_bytes();
        let id = KeyId(std::array::from_fn(|i| digest[i]));
        Self { id, name, secret, keyed }
    }

    /// Its identity.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What its owner calls it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// HMAC-SHA256 under this key, to be fed.
    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::Exposed`] where others may read the file, [`Error::Key`] where it holds no whole key, [`Error::File`] where it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |cause: String| Error::Key { path: path.to_owned(), cause };
        let refuse = |cause| Error::File(ovid_io::Error::io(path, "read", cause));
        let metadata = std::fs::metadata(path).map_err(refuse)?;
        if metadata.is_file() && metadata.len() > LONGEST_FILE {
            return Err(wrong("it is too long".to_owned()));
        }
        let text = std::fs::read(path).map_err(refuse)?;
        let fields: Fields = serde_json::from_slice(&text).map_err(|e| wrong(format!("line {}: not the fields of a key", e.line())))?;
        if fields.format != FORMAT {
            return Err(wrong(format!("its format is {:?}, not {FORMAT:?}", fields.format)));
        }
        // What holds no key is called so whoever may read it.
        refuse_if_exposed(path, &metadata)?;
        let secret = from_hex(&fields.secret).ok_or_else(|| wrong("its secret is not 64 hexadecimal digits".to_owned()))?;
        let key = Self::new(secret, fields.name);
        if key.id != fields.id {
            return Err(wrong(format!("its secret is not that of key {}: the file is damaged", fields.id)));
        }
        Ok(key)
    }

    /// Writes a key file that its owner alone may read. Never over another file.
    ///
    /// # Errors
    /// [`Error::Occupied`] where a file is there, [`Error::File`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        if path.exists() {
            return Err(Error::Occupied { path: path.to_owned() });
        }
        let fields = Fields { format: FORMAT.to_owned(), id: self.id, name: self.name.clone(), secret: to_hex(&self.secret) };
        let text = serde_json::to_string_pretty(&fields).expect("strings can be written as JSON");
        let mut file = AtomicFile::create(path)?;
        file.only_for_owner()?;
        writeln!(file, "{text}").map_err(|cause| ovid_io::Error::io(path, "write", cause))?;
        Ok(file.commit()?)
    }
}

#[cfg(unix)]
fn refuse_if_exposed(path: &Path, metadata: &std::fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Error::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_if_exposed(_: &Path, _: &std::fs::Metadata) -> Result<(), Error> {
    Ok(())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text.bytes().map(|b| (b as char).to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    (digits.len() == 2 * N).then(|| std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1]))
}
