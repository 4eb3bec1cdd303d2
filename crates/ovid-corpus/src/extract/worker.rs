//! The process that a page may crash.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::main_text;
use super::protocol::{self, About, Answer, Hello};

/// What one page may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLimits {
    /// Memory of the worker, in bytes.
    pub memory_bytes: u64,
    /// Stack, in bytes.
    pub stack_bytes: usize,
    /// Time on the clock.
    pub time: Duration,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, stack_bytes: 16 << 20, time: Duration::from_secs(20) }
    }
}

/// Serves one side of [`super::run`]: reads pages from `input`, answers on `output`, until the other side goes away.
///
/// The whole process is put under the memory limit: call this in a process that does nothing else.
///
/// # Errors
/// If the other side does not keep to the protocol, or the limits cannot be set.
pub fn serve(mut input: impl Read + Send + 'static, mut output: impl Write + Send + 'static) -> io::Result<()> {
    let Some(Hello { limits, settings }) = protocol::read_json(&mut input)? else { return Ok(()) };
    restrict(&limits)?;
    let work = move || -> io::Result<()> {
        while let Some(About { url, content_type }) = protocol::read_json(&mut input)? {
            let page = protocol::read(&mut input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let answer: Answer = main_text(&page, content_type.as_deref(), url.as_deref(), settings);
            protocol::write_json(&mut output, &answer)?;
        }
        Ok(())
    };
    // A thread of its own has the stack that was asked for, whatever the system gave the first one.
    let thread = std::thread::Builder::new().name("extract".into()).stack_size(limits.stack_bytes).spawn(work)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the extraction panicked")))
}

#[cfg(unix)]
fn restrict(limits: &PageLimits) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Data rather than address space: the program's own file, mapped, does not count.
    let ceiling = getrlimit(Resource::Data).maximum;
    let memory = Some(limits.memory_bytes.min(ceiling.unwrap_or(u64::MAX)));
    setrlimit(Resource::Data, Rlimit { current: memory, maximum: memory })?;
    // A crash is expected; its memory on disk helps nobody.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A worker in an endless loop must not outlive a program that was killed.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &PageLimits) -> io::Result<()> {
    Ok(())
}
