//! Writing GGUF version 3 as a stream, aligned to 32 bytes.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;

use super::value::write_text;
use super::{DEFAULT_ALIGNMENT, MAGIC, MAX_DIMENSIONS, Value, type_number};
use crate::atomic::AtomicFile;
use crate::sequence::Sequence;
use crate::{Error, Place, TensorSpec};

/// Longer names are refused by llama.cpp (`GGML_MAX_NAME`, one byte of which ends the string).
const MAX_NAME_BYTES: usize = 63;

/// Writes metadata at once and tensors in the order of their specs; the file appears under its name on [`GgufWriter::finish`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use ovid_io::gguf::{Gguf, GgufWriter};
/// use ovid_io::{Dtype, TensorSpec};
/// let path = folder.path().join("model.gguf");
/// let metadata = [("general.architecture".to_owned(), "gpt2".into())];
/// let mut out = GgufWriter::create(&path, &metadata, &[TensorSpec::new("token_embd.weight", Dtype::Q8_0, [2, 32])])?;
/// out.append("token_embd.weight", &[0; 68])?;
/// out.finish()?;
/// let file = Gguf::open(&path)?;
/// assert_eq!(file.text("general.architecture")?, Some("gpt2"));
/// assert_eq!(file.tensor("token_embd.weight").unwrap().shape, [2, 32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GgufWriter {
    out: AtomicFile,
    sequence: Sequence,
}

impl GgufWriter {
    /// Writes the header, the metadata and the tensors' descriptions.
    ///
    /// # Errors
    /// If a key or name is given twice, an array holds values of another kind, a tensor has more than four dimensions or a name of more than 63 bytes, or
    /// the folder cannot be written to.
    pub fn create(path: &Path, metadata: &[(String, Value)], specs: &[TensorSpec]) -> Result<Self, Error> {
        let sequence = Sequence::new(path, specs)?;
        let mut header = MAGIC.to_vec();
        header.extend(3_u32.to_le_bytes());
        header.extend((specs.len() as u64).to_le_bytes());
        header.extend((metadata.len() as u64).to_le_bytes());
        let mut keys = HashSet::new();
        for (key, value) in metadata {
            let wrong = |cause: String| Error::unwritable(path, Place::Key(key.clone()), cause);
            if !keys.insert(key) {
                return Err(wrong("the key is given twice".to_owned()));
            }
            if key == "general.alignment" && *value != Value::U32(DEFAULT_ALIGNMENT as u32) {
                return Err(wrong(format!("tensors are aligned to {DEFAULT_ALIGNMENT} bytes here")));
            }
            write_text(&mut header, key);
            header.extend(value.kind().number().to_le_bytes());
            value.write(&mut header, 0).map_err(wrong)?;
        }
        let mut offset = 0_u64;
        for (spec, n_bytes) in sequence.specs() {
            let wrong = |cause: String| Error::unwritable(path, Place::Key(spec.name.clone()), cause);
            if spec.name.len() > MAX_NAME_BYTES {
                return Err(wrong(format!("the name is longer than {MAX_NAME_BYTES} bytes")));
            }
            if spec.shape.len() > MAX_DIMENSIONS as usize {
                return Err(wrong(format!("more than {MAX_DIMENSIONS} dimensions")));
            }
            write_text(&mut header, &spec.name);
            header.extend((spec.shape.len() as u32).to_le_bytes());
            for n in spec.shape.iter().rev() {
                header.extend((*n as u64).to_le_bytes());
            }
            let number = type_number(spec.dtype).ok_or_else(|| wrong(format!("GGUF has no type {}", spec.dtype)))?;
            header.extend(number.to_le_bytes());
            header.extend(offset.to_le_bytes());
            offset += (*n_bytes as u64).next_multiple_of(DEFAULT_ALIGNMENT as u64);
        }
        header.resize(header.len().next_multiple_of(DEFAULT_ALIGNMENT), 0);
        let mut out = AtomicFile::create(path)?;
        out.write_all(&header).map_err(|cause| Error::io(path, "write", cause))?;
        Ok(Self { out, sequence })
    }

    /// Appends the next bytes of tensor `name`, all of them or a part.
    ///
    /// # Errors
    /// If another tensor's bytes come first, these are too many, or they cannot be written.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let completed = self.sequence.advance(self.out.path(), name, bytes.len())?;
        let written = self.out.write_all(bytes).and_then(|()| match completed {
            Some(n_bytes) => self.out.write_all(&[0; DEFAULT_ALIGNMENT][..n_bytes.next_multiple_of(DEFAULT_ALIGNMENT) - n_bytes]),
            None => Ok(()),
        });
        written.map_err(|cause| Error::io(self.out.path(), "write", cause))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If bytes are missing, or the system cannot write, sync or rename.
    pub fn finish(self) -> Result<(), Error> {
        self.sequence.check_complete(self.out.path())?;
        self.out.commit()
    }
}
