//! Evidence as JSON: made for these weights, and its numbers within bounds.

use serde_json::Value;

use super::{Context, Finding};
use crate::checklist::{Each, Report};
use crate::evidence;
use crate::files::same_digest;
use crate::statement::short;
use crate::{Error, Evidence};

impl Context<'_> {
    pub(super) fn report(&self, wanted: &Report) -> Result<Finding, Error> {
        let evidence = match self.evidence(&wanted.file) {
            Ok(evidence) => evidence,
            Err(cause) => return Ok(Finding::missing(cause)),
        };
        let file = &wanted.file;
        let mut causes = Vec::new();
        match evidence.text(&wanted.model) {
            None => causes.push(format!("{file} does not say for which weights it was made (nothing stands at {})", wanted.model)),
            Some(made_for) if !same_digest(made_for, &self.subject.identity.sha256) => {
                causes.push(format!("{file} is stale: it was made for other weights ({})", short(made_for)));
            }
            Some(_) => {}
        }
        let mut found = Vec::new();
        for bound in &wanted.bound {
            let Some(number) = evidence.number(&bound.at) else {
                causes.push(format!("{file} has no number at {} ({})", bound.at, bound.what));
                continue;
            };
            if let Some(most) = bound.max.filter(|most| number > *most || number.is_nan()) {
                causes.push(format!("{file}: {} is {number}, more than {most}", bound.what));
            }
            if let Some(least) = bound.min.filter(|least| number < *least || number.is_nan()) {
                causes.push(format!("{file}: {} is {number}, less than {least}", bound.what));
            }
            if bound.max.is_some() || bound.min.is_some() {
                found.push(format!("{}: {}", bound.what, crate::card::number(number)));
            }
        }
        for each in &wanted.each {
            each_has(&evidence, each, &mut causes);
        }
        for table in &wanted.table {
            if evidence.at(&table.at).is_none() {
                causes.push(format!("{file} has nothing at {} ({})", table.at, table.title));
            }
        }
        let place = Some((evidence.file.clone(), evidence.sha256.clone()));
        if causes.is_empty() {
            let found = if found.is_empty() { format!("{file}, sha256 {}", short(&evidence.sha256)) } else { found.join("; ") };
            return Ok(Finding::Holds { found, evidence: place });
        }
        Ok(Finding::Missing { causes, evidence: place })
    }
}

/// Adds a cause for every element of a list that lacks a field.
fn each_has(evidence: &Evidence, each: &Each, causes: &mut Vec<String>) {
    let file = &evidence.file;
    let Some(list) = evidence.at(&each.at).and_then(Value::as_array) else {
        causes.push(format!("{file} has no list at {} ({})", each.at, each.what));
        return;
    };
    if list.len() < each.min {
        causes.push(format!("{file}: {} {}, and {} are asked for", list.len(), each.what, each.min));
    }
    for (i, element) in list.iter().enumerate() {
        for field in &each.fields {
            let value = evidence::at(element, &format!("/{field}"));
            let empty = value.is_none_or(|v| v.is_null() || v.as_str().is_some_and(|s| s.trim().is_empty()));
            if empty {
                causes.push(format!("{file}: {} number {} has no '{field}'", each.what, i + 1));
            }
        }
    }
}
