//! Ed25519 keys and signatures in minisign's format, so that `minisign -Vm FILE -P KEY` checks them too.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use minisign::{KeyPair, PublicKeyBox, SecretKeyBox, SignatureBox};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::files::read_small;

/// The first line of a signature, which is not signed itself.
const UNTRUSTED_COMMENT: &str = "signature by ovid release";

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person who answers for what is signed.
    Person,
    /// A program: it vouches that files belong together, and answers for nothing.
    Automatic,
}

/// Whose signatures a release accepts; an entry of `signers.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The person's name, or what the program is called.
    pub name: String,
    /// Person or program.
    pub kind: Kind,
    /// Minisign's public key, the line in base64.
    pub public_key: String,
}

/// A key that can sign. Neither `Debug` nor an error shows it.
pub struct SecretKey {
    key: minisign::SecretKey,
    public: minisign::PublicKey,
}

impl SecretKey {
    /// Draws a key and writes it to `path`, readable by its owner alone, and its public half to `path` with `.pub` behind it. The secret half is not encrypted; keys made by
    /// `minisign -G`, which are, can be used as well.
    ///
    /// # Errors
    /// If a file is there already or cannot be written, or the system gives no random numbers.
    pub fn create(path: &Path, comment: &str) -> Result<Self, Error> {
        let failed = |e: minisign::PError| Error::key(path, e.to_string());
        let KeyPair { pk: public, sk: key } = KeyPair::generate_unencrypted_keypair().map_err(failed)?;
        let secret = key.to_box(Some(comment)).map_err(failed)?.into_string();
        let open = public.to_box().map_err(failed)?.into_string();
        write_private(path, secret.as_bytes())?;
        ovid_io::atomic::write_atomic(&public_path(path), |out| out.write_all(open.as_bytes()))?;
        Ok(Self { key, public })
    }

    /// Reads a key. Where it is encrypted, its password is asked for at the terminal.
    ///
    /// # Errors
    /// If it cannot be read, others may read it, it is no key, or the password is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = read_private(path)?;
        let secret = SecretKeyBox::from_string(&text).map_err(|e| Error::key(path, e.to_string()))?;
        let open = || SecretKeyBox::from_string(&text);
        let key = match secret.into_unencrypted_secret_key() {
            Ok(key) => key,
            Err(_) => {
                open().and_then(|b| b.into_secret_key(None)).map_err(|e| Error::key(path, format!("no minisign secret key ({e})")))?
            }
        };
        let public = minisign::PublicKey::from_secret_key(&key).map_err(|e| Error::key(path, e.to_string()))?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub fn public_key(&self) -> String {
        self.public.to_base64()
    }

    /// The signature of bytes, as the text of a `.minisig` file. `comment` is signed too.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Error> {
        let signed = minisign::sign(Some(&self.public), &self.key, Cursor::new(bytes), Some(comment), Some(UNTRUSTED_COMMENT));
        Ok(signed.map_err(|e| Error::Asked(format!("cannot sign: {e}")))?.into_string())
    }

    /// The signer of `signers` that this key is.
    ///
    /// # Errors
    /// If none is.
    pub fn signer<'a>(&self, signers: &'a [Signer]) -> Result<&'a Signer, Error> {
        let public = self.public_key();
        let found = signers.iter().find(|s| s.public_key == public);
        found.ok_or_else(|| Error::Asked(format!("no signer in signers.toml has the public key {public}")))
    }
}

/// Whether `signature`, the text of a `.minisig` file, is the holder's of `public_key` over `bytes`; the reason where it is not.
///
/// # Errors
/// The reason, in words.
pub fn verify(public_key: &str, bytes: &[u8], signature: &str) -> Result<(), String> {
    let key = parse(public_key)?;
    let parsed = SignatureBox::from_string(signature).map_err(|e| format!("no minisign signature: {e}"))?;
    // Minisign passes over white space and over the first line, which nobody signed: a changed byte would not be seen there.
    if parsed.to_string() != signature || parsed.untrusted_comment().ok().as_deref() != Some(UNTRUSTED_COMMENT) {
        return Err("its text is not as it was written".to_owned());
    }
    // The last line is a signature of 64 bytes in base64; minisign would not look at its length.
    if signature.lines().last().map(str::len) != Some(88) {
        return Err("its last line is no signature".to_owned());
    }
    minisign::verify(&key, &parsed, Cursor::new(bytes), true, false, false).map_err(|e| e.to_string())
}

/// The key's identity as minisign prints it: 16 hexadecimal digits.
///
/// # Errors
/// If it is no public key.
pub fn key_id(public_key: &str) -> Result<String, String> {
    let mut id = parse(public_key)?.keynum().to_vec();
    id.reverse();
    Ok(hex(&id).to_uppercase())
}

/// A public key as given on a command line: the line in base64, or the path of a `.pub` file.
///
/// # Errors
/// If it is neither.
pub fn public_key(text: &str) -> Result<String, Error> {
    if parse(text).is_ok() {
        return Ok(text.to_owned());
    }
    let path = Path::new(text);
    let content = String::from_utf8_lossy(&read_small(path)?).into_owned();
    let key = PublicKeyBox::from_string(&content).and_then(PublicKeyBox::into_public_key);
    Ok(key.map_err(|e| Error::key(path, format!("no minisign public key ({e})")))?.to_base64())
}

fn parse(public_key: &str) -> Result<minisign::PublicKey, String> {
    minisign::PublicKey::from_base64(public_key).map_err(|e| format!("no public key: {e}"))
}

/// Where the public half lies.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a file that only its owner may read and that must not be there yet, in one step.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let refuse = |cause| ovid_io::Error::io(path, "write", cause);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is its owner's alone from the start.
    let mut file = tempfile::Builder::new().prefix(".key.").suffix(".partial").tempfile_in(folder).map_err(refuse)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(refuse)?;
    file.persist_noclobber(path).map_err(|e| refuse(e.error))?;
    Ok(())
}

/// Reads a secret; refuses it where others than its owner may read it too.
pub(crate) fn read_private(path: &Path) -> Result<String, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = fs::metadata(path).map_err(|e| ovid_io::Error::io(path, "read", e))?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::key(path, format!("others may read it (mode {mode:03o}); a secret is its owner's alone: chmod 600")));
        }
    }
    let bytes = read_small(path)?;
    String::from_utf8(bytes).map_err(|_| Error::key(path, "it is no text"))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_bytes_and_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let a = SecretKey::create(&path, "test, not a person").unwrap();
        let b = SecretKey::create(&folder.path().join("b.key"), "test, not a person").unwrap();
        let signature = SecretKey::load(&path).unwrap().sign(b"words", "comment").unwrap();
        assert_eq!(verify(&a.public_key(), b"words", &signature), Ok(()));
        assert!(verify(&a.public_key(), b"Words", &signature).is_err());
        assert!(verify(&b.public_key(), b"words", &signature).unwrap_err().contains("different from public key"));
        assert!(verify(&a.public_key(), b"words", &signature.replace("comment: comment", "comment: other")).is_err());
        for changed in [format!("{signature} "), signature.replace("by ovid", "by Ovid"), signature.trim_end().to_owned()] {
            assert_eq!(verify(&a.public_key(), b"words", &changed), Err("its text is not as it was written".to_owned()));
        }
        let short = signature.lines().take(3).map(|line| format!("{line}\n")).collect::<String>() + "AAAA\n";
        assert_eq!(verify(&a.public_key(), b"words", &short), Err("its last line is no signature".to_owned()));
        assert!(verify("x", b"words", &signature).is_err() && verify(&a.public_key(), b"words", "").is_err());
        assert_eq!(public_key(&public_path(&path).to_string_lossy()).unwrap(), a.public_key());
        assert_eq!(key_id(&a.public_key()).unwrap().len(), 16);
        assert!(fs::read_to_string(public_path(&path)).unwrap().contains(&key_id(&a.public_key()).unwrap()));
        assert!(SecretKey::create(&path, "again").is_err_and(|e| e.to_string().contains("a.key")));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        SecretKey::create(&path, "test, not a person").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = SecretKey::load(&path).err().unwrap().to_string();
        assert!(refused.contains("others may read it (mode 640)"), "{refused}");
    }
}
