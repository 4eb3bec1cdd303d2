//! The flags that say how a text is watermarked, shared by `generate` and `watermark detect`. The defaults are the schemes' own.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use ovid_watermark::{GreenList, Gumbel, Key, Scheme, Tournament, Watermark};

use crate::failure::Failure;

/// How a text is marked.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Watermark")]
pub struct SchemeFlags {
    /// The way of marking: green-list raises the scores of a keyed part of the vocabulary; gumbel and tournament leave the distribution as it is
    #[arg(long, value_name = "green-list|gumbel|tournament")]
    scheme: Option<Name>,
    /// How many tokens before it decide how a token is marked [default: 1; 4 with gumbel and tournament]
    #[arg(long, value_name = "N")]
    context_width: Option<u8>,
    /// With green-list: the share of the vocabulary whose scores are raised [default: 0.25]
    #[arg(long, value_name = "X")]
    gamma: Option<f64>,
    /// With green-list: by how much [default: 2]
    #[arg(long, value_name = "X")]
    delta: Option<f32>,
    /// With green-list: let a candidate and one of the tokens before it decide, so that edits do less
    #[arg(long)]
    self_hash: bool,
    /// With tournament: rounds [default: 30]
    #[arg(long, value_name = "N")]
    layers: Option<u8>,
}

/// The schemes' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    GreenList,
    Gumbel,
    Tournament,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "green-list" => Ok(Self::GreenList),
            "gumbel" => Ok(Self::Gumbel),
            "tournament" => Ok(Self::Tournament),
            _ => Err("the schemes are green-list, gumbel and tournament".into()),
        }
    }
}

impl SchemeFlags {
    /// The scheme that the flags mean; `None` where no flag was given.
    pub fn scheme(&self) -> Result<Option<Scheme>, Failure> {
        let green = [("gamma", self.gamma.is_some()), ("delta", self.delta.is_some()), ("self-hash", self.self_hash)];
        let only_green = green.into_iter().find(|(_, given)| *given);
        let only_tournament = self.layers.map(|_| ("layers", true));
        let any = self.context_width.is_some() || only_green.is_some() || only_tournament.is_some();
        let Some(name) = self.scheme.or_else(|| any.then_some(Name::GreenList)) else { return Ok(None) };
        let other = match name {
            Name::GreenList => only_tournament.map(|o| (o, "tournament")),
            Name::Gumbel => only_tournament.map(|o| (o, "tournament")).or(only_green.map(|o| (o, "green-list"))),
            Name::Tournament => only_green.map(|o| (o, "green-list")),
        };
        if let Some(((flag, _), scheme)) = other {
            return Err(Failure::input(format!("--{flag} is a setting of --scheme {scheme}")));
        }
        Ok(Some(match name {
            Name::GreenList => {
                let usual = GreenList::default();
                let width = self.context_width.unwrap_or(if self.self_hash { 4 } else { usual.context_width() });
                let (gamma, delta) = (self.gamma.unwrap_or(usual.gamma()), self.delta.unwrap_or(usual.delta()));
                Scheme::GreenList(GreenList::new(gamma, delta, width, self.self_hash)?)
            }
            Name::Gumbel => Scheme::Gumbel(self.context_width.map_or(Ok(Gumbel::default()), Gumbel::new)?),
            Name::Tournament => {
                let usual = Tournament::default();
                let width = self.context_width.unwrap_or(usual.context_width());
                Scheme::Tournament(Tournament::new(width, self.layers.unwrap_or(usual.n_layers()))?)
            }
        }))
    }

    /// The watermark of a key file; `None` without one.
    pub fn watermark(&self, key: Option<&Path>) -> Result<Option<Watermark>, Failure> {
        let scheme = self.scheme()?;
        let Some(path) = key else {
            return match scheme {
                None => Ok(None),
                Some(_) => Err(Failure::input("a watermark's settings without a key").hint("pass --watermark KEYFILE")),
            };
        };
        let scheme = scheme.unwrap_or(Scheme::GreenList(GreenList::default()));
        Ok(Some(Watermark::new(Arc::new(Key::read(path)?), scheme)))
    }
}
