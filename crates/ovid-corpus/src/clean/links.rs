//! Pages that well-scored links lead to: `WebText`'s stand-in for a human who found the page worth reading (Radford et al. 2019, section 2.1).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::Document;
use crate::links::{LinkRule, Scores};

/// Which links count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksRule {
    /// Lists of links: tab-separated with a header, or JSON Lines.
    pub lists: Vec<PathBuf>,
    /// The least score; the paper's is 3.
    #[serde(default = "LinkRule::paper_score")]
    pub min_score: i64,
}

impl LinksRule {
    pub(crate) fn rule(&self) -> LinkRule {
        LinkRule { min_score: self.min_score, ..LinkRule::default() }
    }

    pub(super) fn judge(&self, scores: &Scores, document: &mut Document) -> Result<(), Refusal> {
        let Some(url) = &document.url else { return Err(("no-url", "nothing says where it is from".to_owned())) };
        match scores.of(url) {
            Some(score) => {
                document.score = Some(score);
                Ok(())
            }
            None => Err(("not-linked", format!("no outbound link with a score of {} or more leads there", self.min_score))),
        }
    }
}
