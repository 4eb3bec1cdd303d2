//! Released models from the Hugging Face hub into its usual local cache, where Python's libraries find them too.
//!
//! In: a name (`gpt2`, `owner/name`). Out: a folder `models--OWNER--NAME/snapshots/COMMIT` whose files are links to `blobs/`, each file's digest checked
//! (SHA-256 for large files, git's SHA-1 for small ones: the hub gives them as `ETag`s). Downloads that were cut go on where they were. Follows the cache
//! layout of `huggingface_hub` ("Understand caching" in its documentation). The token goes to the endpoint's own host and nowhere else.

mod cache;
mod client;
mod name;
mod pull;
mod url;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use name::ModelName;

use crate::{Error, Observer};
use client::Client;
use url::Url;

/// The public hub.
pub const ENDPOINT: &str = "https://huggingface.co";

/// How long and how often to try, and how much to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait for a connection, for an answer, and between two pieces of a body.
    pub wait: Duration,
    /// Attempts that bring nothing before a file is given up.
    pub n_attempts: u32,
    /// The pause before the second attempt; it doubles with each one.
    pub pause: Duration,
    /// The largest file that is taken.
    pub max_file_bytes: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { wait: Duration::from_secs(30), n_attempts: 5, pause: Duration::from_secs(1), max_file_bytes: 64 << 30 }
    }
}

/// A hub, and the local cache that it fills.
#[derive(Clone, Debug)]
pub struct Hub {
    endpoint: Url,
    token: Option<Token>,
    cache: PathBuf,
    patience: Patience,
}

/// A secret that no message shows.
#[derive(Clone)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What `ovid pull --json` prints of a fetched model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The name that was asked for.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
}

impl Hub {
    /// The hub that the usual variables name, looked up through `get` (`std::env::var_os` in a program): `HF_ENDPOINT`, `HF_TOKEN`, and for the cache
    /// `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` or `HOME`.
    ///
    /// # Errors
    /// If the endpoint is no address, the token cannot be sent, or nothing says where the cache is.
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| match get(name).map(OsString::into_string) {
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(Error::Name { name: name.to_owned(), cause: "the variable does not hold text".to_owned() }),
            None => Ok(None),
        };
        let folder = |name: &str, below: &str| get(name).map(|path| Path::new(&path).join(below));
        let cache = folder("HF_HUB_CACHE", "")
            .or_else(|| folder("HF_HOME", "hub"))
            .or_else(|| folder("XDG_CACHE_HOME", "huggingface/hub"))
            .or_else(|| folder("HOME", ".cache/huggingface/hub"))
            .or_else(|| folder("USERPROFILE", ".cache/huggingface/hub"));
        let no_cache = || Error::Name { name: "HF_HOME".to_owned(), cause: "neither this nor HOME says where the cache is".to_owned() };
        let hub = Self::new(&text("HF_ENDPOINT")?.unwrap_or(ENDPOINT.to_owned()), cache.ok_or_else(no_cache)?)?;
        match text("HF_TOKEN")? {
            Some(token) => hub.with_token(token.trim()),
            None => Ok(hub),
        }
    }

    /// The hub at `endpoint` with a cache in folder `cache` (the one that holds `models--...`).
    ///
    /// # Errors
    /// If the endpoint is no `http` or `https` address.
    pub fn new(endpoint: &str, cache: PathBuf) -> Result<Self, Error> {
        let wrong = |cause: &str| Error::Network { url: endpoint.to_owned(), cause: cause.to_owned() };
        let endpoint = Url::parse(endpoint.trim_end_matches('/')).ok_or_else(|| wrong("no address of the form https://HOST"))?;
        Ok(Self { endpoint, token: None, cache, patience: Patience::default() })
    }

    /// Sends a token to the endpoint's own host (over `https`, or to this machine).
    ///
    /// # Errors
    /// If the token holds characters that a header cannot carry.
    pub fn with_token(mut self, token: &str) -> Result<Self, Error> {
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Name { name: "HF_TOKEN".to_owned(), cause: "holds characters that no token has".to_owned() });
        }
        self.token = Some(Token(token.to_owned()));
        Ok(self)
    }

    /// Sets how long and how often to try, and how much to take.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The folder of a model that was pulled before, or that another program has put into the cache; `None` where it is not whole.
    ///
    /// # Errors
    /// If the name is none.
    pub fn find_cached(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        Ok(cache::find(&self.cache, &ModelName::parse(name)?))
    }

    /// Fetches what is missing of a model (configuration, tokenizer, safetensors weights) and gives its folder. Files that are there already, whole, are not
    /// fetched again.
    ///
    /// # Errors
    /// If the name is none, the hub does not have it or cannot be reached, a file is not what its digest says, or the observer cancels. What came so far is
    /// kept, and the next call goes on from there.
    pub fn pull(&self, name: &str, observer: &dyn Observer) -> Result<PathBuf, Error> {
        let name = ModelName::parse(name)?;
        let client = Client::new(&self.endpoint, self.token.as_ref(), &self.patience);
        pull::pull(&client, &self.cache, &name, observer)
    }
}
