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
    /// Time of the processor, which a busy machine does not stretch; to the second, rounded up, and ten times as much on the clock.
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
            allow_time(limits.time)?;
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

/// The system ends the process that takes more than this from here on.
#[cfg(unix)]
fn allow_time(time: Duration) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let until = used.tv_sec as u64 + 1 + time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let maximum = getrlimit(Resource::Cpu).maximum;
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(until.min(maximum.unwrap_or(u64::MAX))), maximum })?)
}

#[cfg(not(unix))]
fn allow_time(_: Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &PageLimits) -> io::Result<()> {
    Ok(())
}
