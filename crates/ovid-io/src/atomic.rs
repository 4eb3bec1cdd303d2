//! Writing so that a crash leaves the old file or the new one, never half of one.
//!
//! In: a path and what to write. The bytes go to a temporary name in the same folder, are synced, renamed, and the folder is synced after them
//! (Pillai et al. 2014, "All file systems are not created equal", on why each of the four is needed).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::Error;

const SUFFIX: &str = ".partial";

/// A file that appears under its name only when [`AtomicFile::commit`] is called; dropped before, it leaves nothing.
///
/// A path that names a pipe or a device (`/dev/stdout`) is written straight to: there is nothing to rename there.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    out: BufWriter<Target>,
}

#[derive(Debug)]
enum Target {
    Temporary(NamedTempFile),
    Stream(File),
}

impl Target {
    fn file(&self) -> &File {
        match self {
            Self::Temporary(temp) => temp.as_file(),
            Self::Stream(file) => file,
        }
    }
}

impl Write for Target {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}

impl AtomicFile {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// If the folder is absent or cannot be written to, or `path` names a folder.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let path = &behind_links(path);
        let refuse = |cause| Error::io(path, "write", cause);
        let target = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(refuse(io::ErrorKind::IsADirectory.into())),
            Ok(found) if !found.is_file() => Target::Stream(OpenOptions::new().write(true).open(path).map_err(refuse)?),
            _ => Target::Temporary(temporary(path).and_then(|(name, folder)| builder(&name).tempfile_in(folder)).map_err(refuse)?),
        };
        Ok(Self { path: path.to_owned(), out: BufWriter::with_capacity(1 << 18, target) })
    }

    /// The name that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets nobody but its owner read it, from now on; for secrets. A pipe or a device stays as it is.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn only_for_owner(&self) -> Result<(), Error> {
        #[cfg(unix)]
        if let Target::Temporary(temp) = self.out.get_ref() {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o600);
            temp.as_file().set_permissions(mode).map_err(|cause| Error::io(&self.path, "write", cause))?;
        }
        Ok(())
    }

    /// Syncs what was written and gives it its name.
    ///
    /// # Errors
    /// If the system cannot write, sync or rename; the old file, where there was one, is untouched.
    pub fn commit(self) -> Result<(), Error> {
        let Self { path, out } = self;
        let refuse = |cause| Error::io(&path, "write", cause);
        match out.into_inner().map_err(|failed| refuse(failed.into_error()))? {
            Target::Stream(mut file) => file.flush().map_err(refuse),
            Target::Temporary(temp) => {
                temp.as_file().sync_all().map_err(refuse)?;
                temp.persist(&path).map_err(|failed| refuse(failed.error))?;
                sync_folder(folder_of(&path)).map_err(refuse)
            }
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

/// Writes a whole file through `fill`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("greeting.txt");
/// ovid_io::atomic::write_atomic(&path, |out| std::io::Write::write_all(out, b"hello"))?;
/// assert_eq!(std::fs::read(&path)?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If `fill` fails or the system does; the old file is then untouched.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut AtomicFile) -> io::Result<()>) -> Result<(), Error> {
    let mut file = AtomicFile::create(path)?;
    fill(&mut file).map_err(|cause| Error::io(path, "write", cause))?;
    file.commit()
}

/// What to do with a folder that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    /// Leave it and say so.
    Refuse,
    /// Put the new one in its place and delete the old one. An empty folder is replaced either way.
    Replace,
}

/// Writes a whole folder: `fill` is given a temporary folder beside `path`, whose contents are then synced and which takes the name `path` in one step.
///
/// # Errors
/// Those of `fill`, and those of the system; the old folder is then untouched.
pub fn write_folder<E: From<Error>>(path: &Path, if_exists: IfExists, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let path = &behind_links(path);
    let refuse = |cause| Error::io(path, "write", cause);
    let occupied = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
        Err(cause) => return Err(refuse(cause).into()),
    };
    if occupied && if_exists == IfExists::Refuse {
        return Err(refuse(io::Error::new(io::ErrorKind::AlreadyExists, "the folder is there already and not empty")).into());
    }
    let temp = temporary(path).and_then(|(name, parent)| builder_folder(&name).tempdir_in(parent)).map_err(refuse)?;
    fill(temp.path())?;
    sync_tree(temp.path()).map_err(refuse)?;
    install(temp, path, occupied).map_err(refuse)?;
    sync_folder(folder_of(path)).map_err(refuse)?;
    Ok(())
}

/// Deletes what killed writers of `path` left beside it. Only for callers who know that nobody else is writing `path` now.
///
/// # Errors
/// If the folder cannot be read or a left-over cannot be deleted.
pub fn remove_leftovers(path: &Path) -> Result<(), Error> {
    let (prefix, folder) = temporary(path).map_err(|cause| Error::io(path, "clean up beside", cause))?;
    let refuse = |cause| Error::io(folder, "clean up", cause);
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let name = entry.file_name();
        let Some(random) = name.to_str().and_then(|n| n.strip_prefix(&prefix)).and_then(|n| n.strip_suffix(SUFFIX)) else { continue };
        // The random part has no dot: `.a.b.XXXXXX.partial` belongs to `a.b` and not to `a`.
        if random.contains('.') {
            continue;
        }
        let is_folder = entry.file_type().map_err(refuse)?.is_dir();
        if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }.map_err(refuse)?;
    }
    Ok(())
}

/// What a link leads to: the link stays, and what it leads to is replaced. (`/dev/stdout` is a link, which a rename would do away with.)
fn behind_links(path: &Path) -> PathBuf {
    if path.is_symlink() { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// The beginning of a temporary name for `path`, and the folder it lies in.
fn temporary(path: &Path) -> io::Result<(String, &Path)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"))?;
    // A name of the greatest length leaves no room for a suffix: what is random tells two of them apart, so that the front is enough.
    let front: String = name.to_string_lossy().chars().take(48).collect();
    Ok((format!(".{front}."), folder_of(path)))
}

fn builder(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(SUFFIX).rand_bytes(8);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The file ends as one that the user made: the system takes the umask off this.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

fn builder_folder(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = builder(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Gives the temporary folder its name; where one is in the way, the two change places in one step, so that the name is never without a folder.
fn install(temp: TempDir, path: &Path, occupied: bool) -> io::Result<()> {
    if !occupied {
        // An empty folder gives way to a rename.
        return fs::rename(temp.keep(), path);
    }
    if exchange(temp.path(), path).is_ok() {
        // The temporary name now holds the old folder.
        return temp.close();
    }
    // Without an exchange in the system there is an instant in which the name is absent; both folders exist all the time.
    let old = tempfile::Builder::new().prefix(".old.").suffix(SUFFIX).tempdir_in(folder_of(path))?;
    let aside = old.path().join("replaced");
    fs::rename(path, &aside)?;
    if let Err(cause) = fs::rename(temp.path(), path) {
        fs::rename(&aside, path)?;
        return Err(cause);
    }
    let _renamed_away = temp.keep();
    old.close()
}

#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomic(&path, |out| {
            out.write_all(&vec![b'x'; 1 << 20])?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("a.txt': the disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    #[cfg(unix)]
    fn the_file_is_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plain"), b"").unwrap();
        write_atomic(&folder.path().join("ours"), |_| Ok(())).unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("ours"), mode("plain"));
    }

    #[test]
    #[cfg(unix)]
    fn links_stay_and_what_they_lead_to_is_replaced() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let [file, link, models, current] = ["file", "link", "models", "current"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        write_atomic(&link, |out| out.write_all(b"new")).unwrap();
        fs::create_dir(&models).unwrap();
        fs::write(models.join("old"), "").unwrap();
        symlink("models", &current).unwrap();
        write_folder::<Error>(&current, IfExists::Replace, |temp| fs::write(temp.join("new"), "").map_err(|e| Error::io(temp, "write", e)))
            .unwrap();
        assert!(link.is_symlink() && current.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(names(&models), ["new"]);
        assert_eq!(names(folder.path()), ["current", "file", "link", "models"]);
    }

    #[test]
    fn a_folder_is_whole_or_absent_and_replaces_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let write = |text: &'static str, how| {
            write_folder::<Error>(&path, how, |temp| {
                fs::create_dir(temp.join("inner")).unwrap();
                fs::write(temp.join("inner/f"), text).unwrap();
                Ok(())
            })
        };
        let fails = write_folder::<Error>(&path, IfExists::Refuse, |temp| {
            fs::write(temp.join("half"), "x").unwrap();
            Err(Error::Cancelled)
        });
        assert!(matches!(fails, Err(Error::Cancelled)));
        assert!(names(folder.path()).is_empty());
        write("one", IfExists::Refuse).unwrap();
        assert!(write("two", IfExists::Refuse).unwrap_err().to_string().contains("there already"));
        assert_eq!(fs::read(path.join("inner/f")).unwrap(), b"one");
        write("two", IfExists::Replace).unwrap();
        assert_eq!(fs::read(path.join("inner/f")).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["model"]);
    }

    #[test]
    fn leftovers_of_one_name_are_removed_and_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".run.AAAAAAAA.partial", ".run.json.BBBBBBBB.partial", "run"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join(".run.CCCCCCCC.partial")).unwrap();
        remove_leftovers(&folder.path().join("run")).unwrap();
        assert_eq!(names(folder.path()), [".run.json.BBBBBBBB.partial", "run"]);
    }

    #[test]
    fn errors_name_the_path() {
        let error = write_atomic(Path::new("/nonexistent-folder/x"), |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("cannot write '/nonexistent-folder/x': "), "{error}");
    }
}
