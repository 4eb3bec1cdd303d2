//! Wikipedia is left out of `WebText`, so that test sets made from it stay unseen (Radford et al. 2019, section 2.1): by domain here, by likeness to given articles in [`crate::near`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::{Document, web};

/// What counts as Wikipedia.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WikipediaRule {
    /// Domains, with all hosts below them.
    pub domains: Vec<String>,
    /// Documents to compare with, in any form that can be read.
    pub articles: Vec<PathBuf>,
    /// From this likeness to an article on, a document is left out.
    pub drop_at: f64,
}

impl Default for WikipediaRule {
    fn default() -> Self {
        let domains = ["wikipedia.org", "wikimedia.org", "wikiwand.com", "dbpedia.org", "thefullwiki.org", "wikipedia.com"];
        Self { domains: domains.map(String::from).to_vec(), articles: Vec::new(), drop_at: 0.5 }
    }
}

impl WikipediaRule {
    pub(super) fn judge(&self, document: &Document) -> Result<(), Refusal> {
        let host = document.url.as_deref().and_then(web::host);
        match host.filter(|host| self.domains.iter().any(|domain| web::is_below(host, domain))) {
            Some(host) => Err(("domain", host)),
            None => Ok(()),
        }
    }
}
