//! Whether a sample stays on its topic: is its second half nearer in words to its own prompt's document than to other prompts' documents?
//!
//! Texts are tf-idf vectors (1 + ln tf, ln (n + 1) / (df + 1), unit length) over words of two letters or more; nearness is the cosine. For each sample the
//! share of other documents that lie farther than its own (ties count half) is averaged: the area under the curve, 0.5 by chance.

use std::collections::HashMap;

use super::words::words;

/// A unit vector.
pub type Vector = HashMap<u32, f64>;

/// Document frequencies.
#[derive(Debug, Default)]
pub struct Space {
    ids: HashMap<String, u32>,
    frequencies: Vec<u32>,
    n_documents: u32,
}

fn terms(text: &str) -> impl Iterator<Item = String> {
    words(text).into_iter().filter(|word| word.chars().count() >= 2)
}

impl Space {
    /// Counts a document.
    pub fn add(&mut self, text: &str) {
        self.n_documents += 1;
        let mut of_text: Vec<String> = terms(text).collect();
        of_text.sort_unstable();
        of_text.dedup();
        for term in of_text {
            let next = self.ids.len() as u32;
            let id = *self.ids.entry(term).or_insert(next);
            if id == next {
                self.frequencies.push(0);
            }
            self.frequencies[id as usize] += 1;
        }
    }

    /// The vector of `text`; words of no counted document are passed over.
    pub fn vector(&self, text: &str) -> Vector {
        let mut vector = Vector::new();
        for term in terms(text) {
            if let Some(&id) = self.ids.get(&term) {
                *vector.entry(id).or_default() += 1.0;
            }
        }
        for (&id, weight) in &mut vector {
            let idf = (f64::from(self.n_documents + 1) / f64::from(self.frequencies[id as usize] + 1)).ln();
            *weight = (1.0 + weight.ln()) * idf;
        }
        // Summed in the order of ids, so that the last digit does not hang on the map.
        let mut squares: Vec<(u32, f64)> = vector.iter().map(|(&id, w)| (id, w * w)).collect();
        squares.sort_unstable_by_key(|&(id, _)| id);
        let norm = squares.iter().map(|(_, square)| square).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        for weight in vector.values_mut() {
            *weight /= norm;
        }
        vector
    }
}

/// The cosine of two unit vectors.
pub fn cosine(a: &Vector, b: &Vector) -> f64 {
    let mut products: Vec<(u32, f64)> = a.iter().filter_map(|(id, x)| b.get(id).map(|y| (*id, x * y))).collect();
    products.sort_unstable_by_key(|&(id, _)| id);
    products.iter().map(|(_, product)| product).sum()
}

/// The area under the curve: `samples[i]` against `documents[i]` and against those of other names.
pub fn area(samples: &[Vector], documents: &[Vector], names: &[String]) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let own = cosine(sample, &documents[i]);
        let (mut below, mut others) = (0.0, 0.0);
        for (j, document) in documents.iter().enumerate().filter(|&(j, _)| names[j] != names[i]) {
            debug_assert_ne!(i, j);
            let other = cosine(sample, document);
            below += if other < own {
                1.0
            } else if other == own {
                0.5
            } else {
                0.0
            };
            others += 1.0;
        }
        if others > 0.0 {
            sum += below / others;
            n += 1.0;
        }
    }
    if n > 0.0 { sum / n } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_nearest_to_its_own_document() {
        let documents = ["the ship sailed over the sea", "the senate passed the law", "the flower has five petals"];
        let mut space = Space::default();
        for document in documents {
            space.add(document);
        }
        let vectors: Vec<_> = documents.iter().map(|d| space.vector(d)).collect();
        let samples: Vec<_> =
            ["a ship at sea", "a law of the senate", "the petals of the flower"].iter().map(|s| space.vector(s)).collect();
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(area(&samples, &vectors, &names), 1.0);
        // Own and another's exchanged: one of the two others is nearer, the other just as far, but for the third sample.
        assert_eq!(area(&samples, &[vectors[1].clone(), vectors[0].clone(), vectors[2].clone()], &names), (0.25 + 0.25 + 1.0) / 3.0);
        // Nothing to tell by is chance.
        let empty = vec![Vector::new(); 3];
        assert_eq!(area(&empty, &vectors, &names), 0.5);
    }
}
