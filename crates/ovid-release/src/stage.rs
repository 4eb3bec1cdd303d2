//! The ladder of a staged release (Solaiman et al. 2019): each rung reaches more people or a larger model, and asks for more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A rung. Later ones ask for everything that earlier ones ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A model too small to be of use to anybody who means harm, public; what a person would have to answer may be answered automatically, and says so.
    Demo,
    /// The smallest model of a family, public.
    Small,
    /// A larger model to persons who are named and have agreed to terms; each copy can be traced.
    Researchers,
    /// A larger model, public.
    Full,
}

impl Stage {
    /// All of them, lowest first.
    pub const ALL: [Self; 4] = [Self::Demo, Self::Small, Self::Researchers, Self::Full];

    /// The most parameters that a model may have at this stage. GPT-2's smallest has 124 million; a demonstration has less than half of that.
    pub fn max_params(self) -> Option<u64> {
        match self {
            Self::Demo => Some(50_000_000),
            Self::Small => Some(200_000_000),
            Self::Researchers | Self::Full => None,
        }
    }

    /// Whether a statement at this stage must be a person's.
    pub fn needs_person(self) -> bool {
        self > Self::Demo
    }

    /// Who may have what is exported at this stage.
    pub fn who_may_have_it(self) -> &'static str {
        match self {
            Self::Demo => "anybody; a demonstration",
            Self::Small => "anybody",
            Self::Researchers => "the named recipient, under the terms that go with the copy",
            Self::Full => "anybody",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Demo => "demo",
            Self::Small => "small",
            Self::Researchers => "researchers",
            Self::Full => "full",
        })
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|s| s.to_string() == text).ok_or_else(|| "the stages are demo, small, researchers and full".to_owned())
    }
}
