//! Memory that begins on a cache line, so that no vector load crosses two. Large buffers, and the weights of a model together, come straight from the system: zero
//! pages that cost nothing until they are used, in huge pages where it has them, which read 10 to 20% faster than small ones and are there in far fewer faults.

use crate::Error;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a cache line.
const LINE: usize = 64;
/// From here on a buffer is a mapping of its own.
const LARGE: usize = 4 << 20;
/// Bytes of the mappings that an [`Arena`] deals out; what of them is not used takes no memory.
const CHUNK: usize = 64 << 20;

/// A buffer of f32 that begins on a cache line; zeros when made.
pub struct Aligned {
    at: NonNull<f32>,
    len: usize,
    bytes: usize,
    /// Kept until the buffer goes.
    _memory: Memory,
}

// SAFETY: the memory belongs to this value alone.
unsafe impl Send for Aligned {}
// SAFETY: shared references only read.
unsafe impl Sync for Aligned {}

/// Whose memory it is.
enum Memory {
    Nothing,
    Allocated { _allocation: Allocation },
    Mapped { _mapping: Arc<Mapping> },
}

impl Aligned {
    /// `len` zeros.
    ///
    /// # Errors
    /// Where the system does not give the memory; `what` names the buffer in the message.
    pub fn zeros(len: usize, what: &'static str) -> Result<Self, Error> {
        let bytes = lines(len);
        let made = match bytes {
            0 => Some((NonNull::<Line>::dangling().cast(), Memory::Nothing)),
            LARGE.. if cfg!(target_os = "linux") => {
                Mapping::new(bytes).map(|mapping| (mapping.at, Memory::Mapped { _mapping: Arc::new(mapping) }))
            }
            _ => Allocation::new(bytes).map(|allocation| (allocation.at, Memory::Allocated { _allocation: allocation })),
        };
        let (at, memory) = made.ok_or(Error::OutOfMemory { what, bytes })?;
        Ok(Self { at: at.cast(), len, bytes, _memory: memory })
    }

    /// The same memory as bytes, the tail of the last line included.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: all of the allocation was zero when it was made.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().cast(), self.bytes) }
    }

    /// The same memory as bytes, the tail of the last line included.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr().cast(), self.bytes) }
    }
}

/// Bytes of the whole cache lines that `len` f32 take.
fn lines(len: usize) -> usize {
    len.div_ceil(LINE / 4).saturating_mul(LINE)
}

/// What an empty buffer points to.
#[repr(align(64))]
struct Line;

/// Memory of the allocator.
struct Allocation {
    at: NonNull<u8>,
    layout: Layout,
}

impl Allocation {
    /// Zeros; `bytes` is not 0.
    fn new(bytes: usize) -> Option<Self> {
        let layout = Layout::from_size_align(bytes, LINE).ok()?;
        // SAFETY: the size is not 0.
        Some(Self { at: NonNull::new(unsafe { alloc_zeroed(layout) })?, layout })
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nobody else's.
        unsafe { dealloc(self.at.as_ptr(), self.layout) };
    }
}

/// Zero pages of the system.
struct Mapping {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping is only an address until it is given back, by one thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    #[cfg(target_os = "linux")]
    fn new(bytes: usize) -> Option<Self> {
        use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
        // SAFETY: a new mapping, at an address that the system chooses.
        let at = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }.ok()?;
        // Advice: where it is not taken, nothing is lost but speed.
        // SAFETY: the range is the mapping just made.
        let _ = unsafe { madvise(at, bytes, Advice::LinuxHugepage) };
        Some(Self { at: NonNull::new(at.cast())?, bytes })
    }

    #[cfg(not(target_os = "linux"))]
    fn new(_bytes: usize) -> Option<Self> {
        None
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: mapped by `new` with this size; every buffer that lay in it is gone.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}

/// Deals out buffers that lie together in large mappings, for what is made once and kept: weights.
#[derive(Default)]
pub struct Arena(Mutex<Option<(Arc<Mapping>, usize)>>);

impl Arena {
    /// `len` zeros.
    ///
    /// # Errors
    /// As [`Aligned::zeros`].
    pub fn zeros(&self, len: usize, what: &'static str) -> Result<Aligned, Error> {
        let bytes = lines(len);
        if bytes == 0 || bytes >= LARGE || !cfg!(target_os = "linux") {
            return Aligned::zeros(len, what);
        }
        let mut chunk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mapping, used) = match chunk.take() {
            Some((mapping, used)) if mapping.bytes - used >= bytes => (mapping, used),
            _ => (Arc::new(Mapping::new(CHUNK).ok_or(Error::OutOfMemory { what, bytes })?), 0),
        };
        // SAFETY: inside the mapping; no other buffer gets these bytes, since `used` only grows.
        let at = unsafe { mapping.at.add(used) };
        *chunk = Some((Arc::clone(&mapping), used + bytes));
        Ok(Aligned { at: at.cast(), len, bytes, _memory: Memory::Mapped { _mapping: mapping } })
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` f32 lie in the allocation, which was zero when it was made.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}
