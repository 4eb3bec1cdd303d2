//! The one place that turns errors into text and an exit status.

use std::borrow::Cow;
use std::io;
use std::process::ExitCode;

/// Why a command ends without having done what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The answer is no, and has been said (1).
    No,
    /// Wrong usage or bad input (2).
    Input { message: String, hint: Option<String> },
    /// It could not be done: I/O, memory, device, network (3).
    Machine { message: String, hint: Option<String> },
    /// The person at the terminal said stop (130).
    Interrupted,
    /// The reader of our stdout went away, which is its right (0).
    ReaderGone,
    /// clap has its own words: wrong usage, or the help that was asked for.
    Usage(clap::Error),
}

impl Failure {
    /// Bad input, without a hint.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hint: None }
    }

    /// The same failure with a next step, where it has none yet.
    #[must_use]
    pub fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Input { message, hint } => Self::Input { message, hint: hint.or_else(|| Some(text.into())) },
            Self::Machine { message, hint } => Self::Machine { message, hint: hint.or_else(|| Some(text.into())) },
            other => other,
        }
    }

    /// Prints what there is to say on stderr; the status to end with.
    pub fn report(self) -> ExitCode {
        let (status, message, hint) = match self {
            Self::Input { message, hint } => (2, message, hint),
            Self::Machine { message, hint } => (3, message, hint),
            Self::No => return ExitCode::from(1),
            Self::Interrupted => return ExitCode::from(130),
            Self::ReaderGone => return ExitCode::SUCCESS,
            Self::Usage(error) => {
                // Help goes to stdout and its reader may be gone; there is nobody left to tell.
                let _ = error.print();
                return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            }
        };
        let mut text = format!("error: {}\n", plain(&message));
        if let Some(hint) = hint {
            text = format!("{text}hint: {hint}\n");
        }
        let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
        ExitCode::from(status)
    }
}

/// A library's error: its own words, with status 2 or 3 as it says itself.
macro_rules! from_library {
    ($error:ty, $cancelled:pat) => {
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                match error {
                    $cancelled => Self::Interrupted,
                    e if e.is_bad_input() => Self::Input { message: e.to_string(), hint: None },
                    e => Self::Machine { message: e.to_string(), hint: None },
                }
            }
        }
    };
}

from_library!(ovid_io::Error, ovid_io::Error::Cancelled);
from_library!(ovid_corpus::Error, ovid_corpus::Error::Files(ovid_io::Error::Cancelled));
from_library!(ovid_train::Error, ovid_train::Error::Files(ovid_io::Error::Cancelled));

impl From<ovid_watermark::Error> for Failure {
    fn from(error: ovid_watermark::Error) -> Self {
        match error {
            ovid_watermark::Error::File(e) => e.into(),
            e @ ovid_watermark::Error::Exposed { .. } => Self::input(e.to_string())
                .hint("whoever reads it can forge the mark: make it yours alone with chmod 600, or make a new one"),
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_bpe::Error> for Failure {
    fn from(error: ovid_bpe::Error) -> Self {
        match error {
            ovid_bpe::Error::File(e) => e.into(),
            ovid_bpe::Error::Cancelled => Self::Interrupted,
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_model::Error> for Failure {
    fn from(error: ovid_model::Error) -> Self {
        match error {
            ovid_model::Error::Io(e) => e.into(),
            ovid_model::Error::Kernel(e) => Self::Machine { message: e.to_string(), hint: None },
            e @ ovid_model::Error::CacheFull { .. } => Self::Machine { message: e.to_string(), hint: None },
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_eval::Error> for Failure {
    fn from(error: ovid_eval::Error) -> Self {
        match error {
            ovid_eval::Error::Model(e) => e.into(),
            ovid_eval::Error::Generate(e) => e.into(),
            ovid_eval::Error::Cancelled => Self::Interrupted,
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_detect::Error> for Failure {
    fn from(error: ovid_detect::Error) -> Self {
        match error {
            e if e.is_cancelled() => Self::Interrupted,
            ovid_detect::Error::Files(e) => e.into(),
            ovid_detect::Error::Score(e) => e.into(),
            e if e.is_bad_input() => Self::input(e.to_string()),
            e => Self::Machine { message: e.to_string(), hint: None },
        }
    }
}

impl From<ovid_overlap::Error> for Failure {
    fn from(error: ovid_overlap::Error) -> Self {
        match error {
            e if e.is_cancelled() => Self::Interrupted,
            e if e.is_bad_input() => Self::input(e.to_string()),
            e => Self::Machine { message: e.to_string(), hint: None },
        }
    }
}

impl From<ovid_bench::Error> for Failure {
    fn from(error: ovid_bench::Error) -> Self {
        match error {
            ovid_bench::Error::Model(e) => e.into(),
            ovid_bench::Error::Train(e) => e.into(),
            ovid_bench::Error::Tokenizer(e) => e.into(),
            ovid_bench::Error::Cancelled => Self::Interrupted,
            e @ ovid_bench::Error::Kernels(_) => Self::Machine { message: e.to_string(), hint: None },
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_generate::Error> for Failure {
    fn from(error: ovid_generate::Error) -> Self {
        match error {
            ovid_generate::Error::Model(e) => Self::Machine { message: e.to_string(), hint: None },
            e => Self::input(e.to_string()),
        }
    }
}

impl From<ovid_release::Error> for Failure {
    fn from(error: ovid_release::Error) -> Self {
        match error {
            e if e.is_cancelled() => Self::Interrupted,
            e if e.is_bad_input() => Self::input(e.to_string()),
            e => Self::Machine { message: e.to_string(), hint: None },
        }
    }
}

impl From<ovid_samples::Error> for Failure {
    fn from(error: ovid_samples::Error) -> Self {
        match error {
            e if e.is_cancelled() => Self::Interrupted,
            e if e.is_bad_input() => Self::input(e.to_string()),
            e => Self::Machine { message: e.to_string(), hint: None },
        }
    }
}

/// An error that came from writing to stdout.
pub fn stdout(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Machine { message: format!("cannot write to stdout: {error}"), hint: None },
    }
}

/// The system's messages in our manner: lower case, without the error's number.
fn plain(message: &str) -> String {
    let mut text = Cow::Borrowed(message);
    while let Some(start) = text.find(" (os error ") {
        let Some(length) = text[start..].find(')') else { break };
        text = Cow::Owned(format!("{}{}", &text[..start], &text[start + length + 1..]));
    }
    let text = [
        "No such",
        "Permission denied",
        "Is a directory",
        "Not a directory",
        "No space",
        "File exists",
        "Directory not empty",
        "Connection",
        "Read-only",
    ]
    .iter()
    .fold(text.into_owned(), |t, words| t.replace(&format!(": {words}"), &format!(": {}", words.to_lowercase())));
    text.trim_end().to_string()
}

/// A last resort: a fault of our own is reported as one, in all threads alike, and ends the program.
pub fn catch_faults() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |l| format!(" ({}:{})", l.file(), l.line()));
        eprintln!("error: a fault inside ovid {}: {what}{place}", env!("CARGO_PKG_VERSION"));
        eprintln!("hint: please report it with the command you ran at {}/issues", env!("CARGO_PKG_REPOSITORY"));
        std::process::exit(3);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_made_ours() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(plain(&format!("cannot read 'x': {error}")), "cannot read 'x': no such file or directory");
        assert_eq!(plain("'a' at byte 3: (os error"), "'a' at byte 3: (os error");
    }

    #[test]
    fn the_first_hint_stays() {
        let failure = Failure::input("a").hint("b").hint("c");
        assert!(matches!(failure, Failure::Input { hint: Some(h), .. } if h == "b"));
    }
}
