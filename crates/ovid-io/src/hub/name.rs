//! Names of models: the four released GPT-2s by their short names, all others as `owner/name`.

use crate::Error;

const RELEASED: [&str; 4] = ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"];
const RELEASED_BY: &str = "openai-community";

/// A checked name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    /// The names under which the cache may hold it; the first one is asked for on the hub.
    names: Vec<String>,
}

impl ModelName {
    /// Checks a name.
    ///
    /// # Errors
    /// If it is neither a released model's nor of the form `owner/name`.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let short = name.strip_prefix(RELEASED_BY).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
        if RELEASED.contains(&short) {
            // The hub knows them under their owner; older caches under the short name.
            return Ok(Self { names: vec![format!("{RELEASED_BY}/{short}"), short.to_owned()] });
        }
        let is_part = |part: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !part.is_empty()
                && part.len() <= 96
                && part.bytes().all(allowed)
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
        };
        match name.split_once('/') {
            Some((owner, model)) if is_part(owner) && is_part(model) && !name.contains("--") && !name.contains("..") => {
                Ok(Self { names: vec![name.to_owned()] })
            }
            _ => {
                let cause = format!("neither one of {} nor of the form owner/name", RELEASED.join(", "));
                Err(Error::Name { name: name.chars().take(200).collect(), cause })
            }
        }
    }

    /// The name that the hub knows.
    pub fn on_hub(&self) -> &str {
        &self.names[0]
    }

    /// Folders of the cache, the one that is filled first.
    pub(super) fn folders(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("models--{}", name.replace('/', "--")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused() {
        let folders = |name| ModelName::parse(name).map(|name| name.folders().collect::<Vec<_>>());
        assert_eq!(folders("gpt2-xl").unwrap(), ["models--openai-community--gpt2-xl", "models--gpt2-xl"]);
        assert_eq!(folders("openai-community/gpt2").unwrap(), folders("gpt2").unwrap());
        assert_eq!(folders("a/b.c_d-1").unwrap(), ["models--a--b.c_d-1"]);
        for name in ["", "gpt3", "a/", "/b", "a/b/c", "../b", "a/..", "a/b..c", "a/b?x", "a/b#", "a b/c", "a/b--c", "a/-b", "é/b", "a\\b/c"]
        {
            assert!(folders(name).is_err(), "{name:?}");
        }
    }
}
