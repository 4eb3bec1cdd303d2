//! Arrays that lie in memory until together they take more than they may, and from then on in a temporary file without a name, which no crash leaves behind.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use ovid_io::Error;

/// Numbered arrays of numbers.
pub(crate) struct Blocks<T> {
    folder: PathBuf,
    budget_bytes: usize,
    memory_bytes: usize,
    blocks: Vec<Block<T>>,
    disk: Option<File>,
    disk_bytes: u64,
}

enum Block<T> {
    Memory(Vec<T>),
    Disk { at: u64, len: usize },
}

impl<T: Pod> Blocks<T> {
    /// No arrays yet; the temporary file will lie in `folder`.
    pub(crate) fn new(folder: &Path, budget_bytes: usize) -> Self {
        Self { folder: folder.to_owned(), budget_bytes, memory_bytes: 0, blocks: Vec::new(), disk: None, disk_bytes: 0 }
    }

    /// Bytes that went to disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// Adds an array and says its number.
    pub(crate) fn push(&mut self, block: Vec<T>) -> Result<usize, Error> {
        self.memory_bytes += size_of_val(&*block);
        self.blocks.push(Block::Memory(block));
        if self.memory_bytes > self.budget_bytes {
            self.spill()?;
        }
        Ok(self.blocks.len() - 1)
    }

    /// Gives array `i` and forgets it.
    pub(crate) fn take(&mut self, i: usize) -> Result<Vec<T>, Error> {
        match std::mem::replace(&mut self.blocks[i], Block::Memory(Vec::new())) {
            Block::Memory(block) => {
                self.memory_bytes -= size_of_val(&*block);
                Ok(block)
            }
            Block::Disk { at, len } => {
                let refuse = |cause| Error::io(&self.folder, "read a temporary file in", cause);
                let mut block = vec![T::zeroed(); len];
                let Some(file) = &mut self.disk else { return Ok(block) };
                file.seek(SeekFrom::Start(at)).map_err(refuse)?;
                file.read_exact(bytemuck::cast_slice_mut(&mut block)).map_err(refuse)?;
                Ok(block)
            }
        }
    }

    fn spill(&mut self) -> Result<(), Error> {
        let refuse = |cause| Error::io(&self.folder, "write a temporary file in", cause);
        if self.disk.is_none() {
            self.disk = Some(tempfile::tempfile_in(&self.folder).map_err(refuse)?);
        }
        let Some(file) = &mut self.disk else { return Ok(()) };
        file.seek(SeekFrom::Start(self.disk_bytes)).map_err(refuse)?;
        let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
        for block in &mut self.blocks {
            if let Block::Memory(values) = block
                && !values.is_empty()
            {
                file.write_all(bytemuck::cast_slice(values)).map_err(refuse)?;
                let (at, len) = (self.disk_bytes, values.len());
                self.disk_bytes += size_of_val(&**values) as u64;
                *block = Block::Disk { at, len };
            }
        }
        self.memory_bytes = 0;
        file.flush().map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_from_memory_and_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        for budget in [0, 100, 1 << 20] {
            let mut blocks = Blocks::new(folder.path(), budget);
            let arrays: Vec<Vec<u64>> = (0..20).map(|i| (0..i).collect()).collect();
            for (i, array) in arrays.iter().enumerate() {
                assert_eq!(blocks.push(array.clone()).unwrap(), i);
            }
            assert_eq!(blocks.disk_bytes() > 0, budget < 1 << 20);
            for i in [3, 19, 0, 7] {
                assert_eq!(blocks.take(i).unwrap(), arrays[i]);
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
