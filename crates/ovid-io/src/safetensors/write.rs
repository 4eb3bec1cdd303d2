//! Writing one safetensors file as a stream.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::atomic::AtomicFile;
use crate::sequence::Sequence;
use crate::{Dtype, Error, Place, TensorSpec};

/// Writes tensors in the order of their specs; the file appears under its name on [`SafeTensorsWriter::finish`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use ovid_io::safetensors::{SafeTensors, SafeTensorsWriter};
/// use ovid_io::{Dtype, TensorSpec};
/// let path = folder.path().join("model.safetensors");
/// let mut out = SafeTensorsWriter::create(&path, &[("format", "pt")], &[TensorSpec::new("wte", Dtype::F16, [2, 2])])?;
/// out.append("wte", &[0; 4])?;
/// out.append("wte", &[0; 4])?;
/// out.finish()?;
/// assert_eq!(SafeTensors::open(&path)?.tensor("wte")?.unwrap().shape, [2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SafeTensorsWriter {
    out: AtomicFile,
    sequence: Sequence,
}

impl SafeTensorsWriter {
    /// Writes the header.
    ///
    /// # Errors
    /// If a name is given twice, a type is one of blocks, a tensor would not lie at a multiple of its width (put the wider types first), or the
    /// folder cannot be written to.
    pub fn create(path: &Path, metadata: &[(&str, &str)], specs: &[TensorSpec]) -> Result<Self, Error> {
        let sequence = Sequence::new(path, specs)?;
        let mut header = serde_json::Map::new();
        if !metadata.is_empty() {
            let metadata: BTreeMap<_, _> = metadata.iter().copied().collect();
            header.insert("__metadata__".to_owned(), json!(metadata));
        }
        let mut begin = 0;
        for (spec, n_bytes) in sequence.specs() {
            let wrong = |cause: String| Error::unwritable(path, Place::Key(spec.name.clone()), cause);
            if !matches!(spec.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::U8 | Dtype::U64) {
                return Err(wrong(format!("safetensors has no type {}", spec.dtype)));
            }
            if spec.name == "__metadata__" {
                return Err(wrong("the name is the format's own".to_owned()));
            }
            if begin % spec.dtype.block_bytes() != 0 {
                return Err(wrong("it would not lie at a multiple of its width; put the wider types first".to_owned()));
            }
            let end = begin + n_bytes;
            let entry = json!({ "dtype": spec.dtype.to_string(), "shape": spec.shape, "data_offsets": [begin, end] });
            header.insert(spec.name.clone(), entry);
            begin = end;
        }
        let mut text = serde_json::Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut out = AtomicFile::create(path)?;
        let written = out.write_all(&(text.len() as u64).to_le_bytes()).and_then(|()| out.write_all(&text));
        written.map_err(|cause| Error::io(path, "write", cause))?;
        Ok(Self { out, sequence })
    }

    /// Appends the next bytes of tensor `name`, all of them or a part.
    ///
    /// # Errors
    /// If another tensor's bytes come first, these are too many, or they cannot be written.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.sequence.advance(self.out.path(), name, bytes.len())?;
        self.out.write_all(bytes).map_err(|cause| Error::io(self.out.path(), "write", cause))
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
