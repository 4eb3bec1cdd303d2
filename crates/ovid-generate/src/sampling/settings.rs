//! What a user can set about how a text is continued, in types that cannot hold nonsense.
//!
//! One [`Settings`] with a model, a prompt and a seed determines a text. It is complete at construction: [`Settings::default`] is the one place of the defaults.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A number that is checked when it is made, so that the sampler need not check it.
macro_rules! checked_number {
    ($(#[$doc:meta])* $name:ident, $field:literal, $holds:expr, $must:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Takes the number if it is in range.
            ///
            /// # Errors
            /// [`Error::Setting`] where it is not.
            pub fn new(value: f64) -> Result<Self, Error> {
                let holds: fn(f64) -> bool = $holds;
                if holds(value) { Ok(Self(value)) } else { Err(Error::Setting { name: $field, value: value.to_string(), must: $must }) }
            }

            /// The number.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;
            fn try_from(value: f64) -> Result<Self, Error> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                let wrong = || Error::Setting { name: $field, value: text.to_owned(), must: $must };
                Self::new(text.trim().parse().map_err(|_| wrong())?)
            }
        }
    };
}

checked_number!(
    /// What logits are divided by; 0 takes the most probable token always.
    Temperature, "temperature", |t| t == 0.0 || (1e-6..=1e6).contains(&t), "0 (always the most probable token) or between 0.000001 and 1000000"
);
checked_number!(
    /// The probability mass that top-p keeps.
    TopP, "top-p", |p| (0.0..=1.0).contains(&p), "between 0 and 1"
);
checked_number!(
    /// The share of the most probable token's probability below which min-p drops a token.
    MinP, "min-p", |p| (0.0..=1.0).contains(&p), "between 0 and 1"
);
checked_number!(
    /// The probability mass that typical sampling keeps.
    TypicalP, "typical-p", |p| p > 0.0 && p <= 1.0, "above 0 and at most 1"
);
checked_number!(
    /// What the score of a token already in the text is divided by (multiplied by where it is negative).
    RepetitionPenalty, "repetition-penalty", |p| (1e-3..=1e3).contains(&p), "between 0.001 and 1000"
);
checked_number!(
    /// What is added to a score or taken from it.
    Bias, "bias", |b| b.abs() <= 1e6, "between -1000000 and 1000000"
);
checked_number!(
    /// The power of the length by which a beam's score is divided.
    LengthPenalty, "length-penalty", |p| p.abs() <= 100.0, "between -100 and 100"
);

impl Temperature {
    /// Always the most probable token, the lowest id among equals.
    pub const GREEDY: Self = Self(0.0);
    /// The model's own distribution.
    pub const ONE: Self = Self(1.0);
}

/// How many of the most probable tokens top-k keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopK(pub NonZeroU32);

/// Token ids in a row, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Phrase(Vec<u32>);

impl Phrase {
    /// Takes the ids if there are any.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are none.
    pub fn new(ids: Vec<u32>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Err(Error::Setting { name: "phrase", value: "[]".to_owned(), must: "at least one token" });
        }
        Ok(Self(ids))
    }

    /// All ids.
    pub fn ids(&self) -> &[u32] {
        &self.0
    }

    /// The last id and those before it.
    pub(crate) fn split(&self) -> (u32, &[u32]) {
        let (&last, before) = self.0.split_last().expect("a phrase holds at least one id");
        (last, before)
    }
}

impl TryFrom<Vec<u32>> for Phrase {
    type Error = Error;
    fn try_from(ids: Vec<u32>) -> Result<Self, Error> {
        Self::new(ids)
    }
}

impl From<Phrase> for Vec<u32> {
    fn from(phrase: Phrase) -> Self {
        phrase.0
    }
}

/// A phrase whose last token gets `bias` added to its score wherever the tokens before it end the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitBias {
    /// The phrase; one id alone is biased everywhere.
    pub ids: Phrase,
    /// What is added.
    pub bias: Bias,
}

/// Whose reading of top-p is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TopPRule {
    /// Holtzman et al. 2019 and transformers: the smallest set of most probable tokens whose mass reaches p.
    #[default]
    #[serde(rename = "nucleus")]
    Nucleus,
    /// The code released with GPT-2 in 2019: the tokens whose mass stays within p, so one fewer; ties with the last of them are kept.
    #[serde(rename = "original")]
    Original,
}

/// What happens when the model draws end-of-text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEndOfText {
    /// The text ends.
    #[default]
    Stop,
    /// The text goes on with another document, as the 2019 code did.
    GoOn,
}

/// When a beam search that has its number of finished texts may end (transformers' `early_stopping`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStopping {
    /// When the best running beam, at its present length, is no better than the worst finished one (`False`).
    #[default]
    Heuristic,
    /// At once (`True`).
    AtOnce,
    /// Only when no running beam can still get better (`"never"`).
    Never,
}

/// Beam search instead of drawing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beams {
    /// How many beams run side by side.
    pub n_beams: NonZeroUsize,
    /// The power of the length by which scores are divided; above 0 favours long texts. transformers' default is 1.
    pub length_penalty: LengthPenalty,
    /// When the search may end.
    pub early_stopping: EarlyStopping,
}

impl Beams {
    /// `n_beams` with transformers' other defaults.
    pub fn new(n_beams: NonZeroUsize) -> Self {
        Self { n_beams, length_penalty: LengthPenalty(1.0), early_stopping: EarlyStopping::default() }
    }
}

/// How a text is continued, and when it ends. `None` leaves a rule out.
///
/// ```
/// use ovid_generate::Settings;
/// let settings: Settings = serde_json::from_str(r#"{"temperature": 0.8, "top_k": null, "top_p": 0.95}"#).unwrap();
/// assert_eq!(settings.temperature.get(), 0.8);
/// assert!(serde_json::from_str::<Settings>(r#"{"top_k": 0}"#).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What logits are divided by; 0 takes the most probable token and leaves out every rule from here to `typical_p`.
    pub temperature: Temperature,
    /// Keeps the k most probable tokens, and all that tie with the last of them.
    pub top_k: Option<TopK>,
    /// Keeps the most probable tokens up to this mass.
    pub top_p: Option<TopP>,
    /// Whose reading of top-p.
    pub top_p_rule: TopPRule,
    /// Drops tokens less probable than this share of the most probable one's probability.
    pub min_p: Option<MinP>,
    /// Locally typical sampling (Meister et al. 2022): keeps the tokens whose surprise is nearest to the entropy, up to this mass.
    pub typical_p: Option<TypicalP>,
    /// Makes tokens of prompt and text so far less probable (Keskar et al. 2019); 1 changes nothing.
    pub repetition_penalty: Option<RepetitionPenalty>,
    /// Taken from the score of every token drawn so far, once.
    pub presence_penalty: Option<Bias>,
    /// Taken from the score of every token drawn so far, as many times as it was drawn.
    pub frequency_penalty: Option<Bias>,
    /// No run of this many tokens comes twice in prompt and text together.
    pub no_repeat_ngram: Option<NonZeroUsize>,
    /// Scores moved by hand.
    pub logit_bias: Vec<LogitBias>,
    /// Phrases that never come. End-of-text alone cannot be banned this way, as in transformers: `min_tokens` and `at_end_of_text` are for that.
    pub banned: Vec<Phrase>,
    /// End-of-text is not drawn before this many new tokens.
    pub min_tokens: usize,
    /// The text ends after this many new tokens.
    pub max_tokens: usize,
    /// The text ends before the first of these strings.
    pub stop: Vec<String>,
    /// What end-of-text does.
    pub at_end_of_text: AtEndOfText,
    /// Beam search instead of drawing; then everything from `temperature` to `typical_p` is left out, as in transformers without `do_sample`.
    pub beams: Option<Beams>,
}

impl Default for Settings {
    /// Temperature 1 and top-k 40, with which the samples published with GPT-2 were drawn (Radford et al. 2019, section 3.8 and appendix);
    /// 256 new tokens; everything else off.
    fn default() -> Self {
        Self {
            temperature: Temperature::ONE,
            top_k: NonZeroU32::new(40).map(TopK),
            top_p: None,
            top_p_rule: TopPRule::Nucleus,
            min_p: None,
            typical_p: None,
            repetition_penalty: None,
            presence_penalty: None,
            frequency_penalty: None,
            no_repeat_ngram: None,
            logit_bias: Vec::new(),
            banned: Vec::new(),
            min_tokens: 0,
            max_tokens: 256,
            stop: Vec::new(),
            at_end_of_text: AtEndOfText::Stop,
            beams: None,
        }
    }
}

impl Settings {
    /// Holds the settings against each other and against a vocabulary.
    ///
    /// # Errors
    /// [`Error::Setting`] where an id is outside the vocabulary, a bias is given twice, a stop string is empty, or the minimum is above the maximum.
    pub fn check(&self, n_vocab: usize) -> Result<(), Error> {
        let wrong = |name, value: String, must| Err(Error::Setting { name, value, must });
        let phrases = self.logit_bias.iter().map(|b| &b.ids).map(|p| ("logit-bias", p));
        for (name, phrase) in phrases.chain(self.banned.iter().map(|p| ("banned", p))) {
            if let Some(id) = phrase.ids().iter().find(|&&id| id as usize >= n_vocab) {
                return wrong(name, id.to_string(), "a token of the model's vocabulary");
            }
        }
        for (i, bias) in self.logit_bias.iter().enumerate() {
            if self.logit_bias[..i].iter().any(|other| other.ids == bias.ids) {
                return wrong("logit-bias", format!("{:?}", bias.ids.ids()), "given once per phrase");
            }
        }
        if self.stop.iter().any(String::is_empty) {
            return wrong("stop", "\"\"".to_owned(), "a string of at least one character");
        }
        if self.min_tokens > self.max_tokens {
            return wrong("min-tokens", self.min_tokens.to_string(), "at most max-tokens");
        }
        Ok(())
    }
}
