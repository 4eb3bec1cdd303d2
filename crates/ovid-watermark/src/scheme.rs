//! Which scheme, with which strength, in types that cannot hold nonsense.

use serde::{Deserialize, Serialize};

use crate::{Error, KeyId};

/// The longest context.
const MAX_WIDTH: u8 = 16;

/// A way to mark a text. What stands here is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scheme")]
pub enum Scheme {
    /// Kirchenbauer et al. 2023: the scores of a keyed part of the vocabulary are raised.
    GreenList(GreenList),
    /// Aaronson 2022: the token is the winner of a keyed exponential race.
    Gumbel(Gumbel),
    /// Dathathri et al. 2024 (`SynthID`-Text): the token is the winner of a keyed tournament among drawn ones.
    Tournament(Tournament),
}

impl Scheme {
    /// Each scheme as published.
    pub fn all() -> [Self; 3] {
        [Self::GreenList(GreenList::default()), Self::Gumbel(Gumbel::default()), Self::Tournament(Tournament::default())]
    }

    /// As the command line calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GreenList(_) => "green-list",
            Self::Gumbel(_) => "gumbel",
            Self::Tournament(_) => "tournament",
        }
    }

    /// Whether it can mark only what is drawn; the green list also marks the most probable token and beams.
    pub fn needs_draws(&self) -> bool {
        !matches!(self, Self::GreenList(_))
    }

    /// How many tokens before it decide how a token is marked.
    pub(crate) fn context_width(&self) -> usize {
        match self {
            // A candidate is one of the tokens that its own seed is chosen from.
            Self::GreenList(list) if list.self_hash => list.context_width as usize - 1,
            Self::GreenList(list) => list.context_width.into(),
            Self::Gumbel(gumbel) => gumbel.context_width.into(),
            Self::Tournament(tournament) => tournament.context_width.into(),
        }
    }
}

/// The green list's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "GreenListFields", into = "GreenListFields")]
pub struct GreenList {
    /// The green share in units of 2^-16, so that the detector's probability is the sampler's to the last bit.
    pub(crate) gamma_65536: u16,
    pub(crate) delta: f32,
    pub(crate) context_width: u8,
    pub(crate) self_hash: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GreenListFields {
    gamma: f64,
    delta: f32,
    context_width: u8,
    self_hash: bool,
}

impl Default for GreenList {
    /// A quarter of the vocabulary is raised by 2 after one token, as in Kirchenbauer et al. 2023 and transformers.
    fn default() -> Self {
        Self { gamma_65536: 1 << 14, delta: 2.0, context_width: 1, self_hash: false }
    }
}

impl GreenList {
    /// A share `gamma` of the vocabulary (rounded to 16 bits) is raised by `delta`, by the `context_width` tokens before; with `self_hash` by one of
    /// those and the candidate itself (see `green_list.rs`).
    ///
    /// # Errors
    /// [`Error::Setting`] where a number is out of range.
    pub fn new(gamma: f64, delta: f32, context_width: u8, self_hash: bool) -> Result<Self, Error> {
        let gamma_65536 = (gamma * 65536.0).round();
        if !(1.0..=65535.0).contains(&gamma_65536) {
            return Err(Error::Setting { name: "gamma", value: gamma.to_string(), must: "above 0 and below 1" });
        }
        if !(delta > 0.0 && delta <= 100.0) {
            return Err(Error::Setting { name: "delta", value: delta.to_string(), must: "above 0 and at most 100" });
        }
        check_width(context_width)?;
        if self_hash && context_width < 2 {
            return Err(Error::Setting { name: "context-width", value: context_width.to_string(), must: "2 or more with self-hash" });
        }
        Ok(Self { gamma_65536: gamma_65536 as u16, delta, context_width, self_hash })
    }

    /// How much scores are raised.
    pub fn delta(&self) -> f32 {
        self.delta
    }

    /// How many tokens decide.
    pub fn context_width(&self) -> u8 {
        self.context_width
    }

    /// The share of the vocabulary that is green.
    pub fn gamma(&self) -> f64 {
        f64::from(self.gamma_65536) / 65536.0
    }
}

impl TryFrom<GreenListFields> for GreenList {
    type Error = Error;

    fn try_from(fields: GreenListFields) -> Result<Self, Error> {
        Self::new(fields.gamma, fields.delta, fields.context_width, fields.self_hash)
    }
}

impl From<GreenList> for GreenListFields {
    fn from(list: GreenList) -> Self {
        Self { gamma: list.gamma(), delta: list.delta, context_width: list.context_width, self_hash: list.self_hash }
    }
}

/// The Gumbel scheme's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "GumbelFields", into = "GumbelFields")]
pub struct Gumbel {
    pub(crate) context_width: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GumbelFields {
    context_width: u8,
}

impl Default for Gumbel {
    /// Four tokens of context.
    fn default() -> Self {
        Self { context_width: 4 }
    }
}

impl Gumbel {
    /// Marked by the `context_width` tokens before.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is out of range.
    pub fn new(context_width: u8) -> Result<Self, Error> {
        check_width(context_width)?;
        Ok(Self { context_width })
    }
}

impl TryFrom<GumbelFields> for Gumbel {
    type Error = Error;

    fn try_from(fields: GumbelFields) -> Result<Self, Error> {
        Self::new(fields.context_width)
    }
}

impl From<Gumbel> for GumbelFields {
    fn from(gumbel: Gumbel) -> Self {
        Self { context_width: gumbel.context_width }
    }
}

/// The tournament's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TournamentFields", into = "TournamentFields")]
pub struct Tournament {
    pub(crate) context_width: u8,
    pub(crate) n_layers: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TournamentFields {
    context_width: u8,
    n_layers: u8,
}

impl Default for Tournament {
    /// 30 layers over four tokens of context, as published.
    fn default() -> Self {
        Self { context_width: 4, n_layers: 30 }
    }
}

impl Tournament {
    /// `n_layers` rounds by the `context_width` tokens before.
    ///
    /// # Errors
    /// [`Error::Setting`] where a number is out of range.
    pub fn new(context_width: u8, n_layers: u8) -> Result<Self, Error> {
        check_width(context_width)?;
        if !(1..=32).contains(&n_layers) {
            return Err(Error::Setting { name: "layers", value: n_layers.to_string(), must: "between 1 and 32" });
        }
        Ok(Self { context_width, n_layers })
    }
}

impl Tournament {
    /// How many tokens decide.
    pub fn context_width(&self) -> u8 {
        self.context_width
    }

    /// How many rounds are fought.
    pub fn n_layers(&self) -> u8 {
        self.n_layers
    }
}

impl TryFrom<TournamentFields> for Tournament {
    type Error = Error;

    fn try_from(fields: TournamentFields) -> Result<Self, Error> {
        Self::new(fields.context_width, fields.n_layers)
    }
}

impl From<Tournament> for TournamentFields {
    fn from(tournament: Tournament) -> Self {
        Self { context_width: tournament.context_width, n_layers: tournament.n_layers }
    }
}

fn check_width(width: u8) -> Result<(), Error> {
    if (1..=MAX_WIDTH).contains(&width) {
        Ok(())
    } else {
        Err(Error::Setting { name: "context-width", value: width.to_string(), must: "between 1 and 16" })
    }
}

/// Whose watermark of which kind a text bears, as records keep it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// The key's identity.
    pub key: KeyId,
    /// The scheme.
    #[serde(flatten)]
    pub scheme: Scheme,
}
