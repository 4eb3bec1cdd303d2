//! What `ovid score --json` says of a document.

use serde::{Deserialize, Serialize};

/// One document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentScore {
    /// Every token of the document, in order.
    pub tokens: Vec<TokenScore>,
    /// How many of them have a log-probability: all, but the first where nothing was put before it.
    pub n_scored: usize,
    /// The sum of their log-probabilities, in nats.
    pub sum_logprob: f64,
    /// e^(-`sum_logprob` / `n_scored`); null where nothing was scored.
    pub perplexity: Option<f64>,
    /// -`sum_logprob` / ln 2 over the bytes of the scored tokens; null where there are none.
    pub bits_per_byte: Option<f64>,
    /// How far the window moved over documents longer than the model's context.
    pub stride: usize,
    /// The file that the document came from.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u64>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenScore {
    /// The token.
    pub id: u32,
    /// Its text; where it is a part of a character, U+FFFD stands for that.
    pub text: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability after the tokens before it; null where nothing stands before it.
    pub logprob: Option<f32>,
    /// 1 for the most probable token; of equal ones the lower id is first.
    pub rank: Option<u32>,
    /// Entropy of the distribution that it was drawn from, in nats.
    pub entropy: Option<f32>,
    /// Variance of the log-probability under that distribution, in nats squared.
    pub variance: Option<f32>,
    /// The most probable tokens in its place, by rank.
    pub top: Vec<Alternative>,
}

/// A token that might have stood there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The token.
    pub id: u32,
    /// Its text; where it is a part of a character, U+FFFD stands for that.
    pub text: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

impl DocumentScore {
    /// Adds the tokens up.
    pub fn new(tokens: Vec<TokenScore>, stride: usize, file: Option<String>, line: Option<u64>) -> Self {
        let (mut n_scored, mut n_bytes, mut sum_logprob) = (0, 0, 0.0);
        for token in &tokens {
            if let Some(logprob) = token.logprob {
                n_scored += 1;
                n_bytes += token.bytes.len();
                sum_logprob += f64::from(logprob);
            }
        }
        let over = |n: usize| (n > 0).then(|| -sum_logprob / n as f64);
        let perplexity = over(n_scored).map(f64::exp);
        let bits_per_byte = over(n_bytes).map(|nats| nats / std::f64::consts::LN_2);
        Self { tokens, n_scored, sum_logprob, perplexity, bits_per_byte, stride, file, line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_stable() {
        let token = |id, text: &str, logprob: Option<f32>| TokenScore {
            id,
            text: text.to_owned(),
            bytes: text.as_bytes().to_vec(),
            logprob,
            rank: logprob.map(|_| 1),
            entropy: logprob.map(|_| 1.5),
            variance: logprob.map(|_| 2.5),
            top: logprob.iter().map(|&logprob| Alternative { id, text: text.to_owned(), logprob }).collect(),
        };
        let score = DocumentScore::new(vec![token(40, "I", None), token(257, " a", Some(-0.5))], 512, Some("a.jsonl".to_owned()), Some(3));
        let json = serde_json::to_string(&score).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"tokens":[{"id":40,"text":"I","bytes":[73],"logprob":null,"rank":null,"entropy":null,"variance":null,"top":[]},"#,
                r#"{"id":257,"text":" a","bytes":[32,97],"logprob":-0.5,"rank":1,"entropy":1.5,"variance":2.5,"top":[{"id":257,"text":" a","logprob":-0.5}]}],"#,
                r#""n_scored":1,"sum_logprob":-0.5,"perplexity":1.6487212707001282,"bits_per_byte":0.36067376022224085,"#,
                r#""stride":512,"file":"a.jsonl","line":3}"#
            )
        );
        let back: DocumentScore = serde_json::from_str(&json).unwrap();
        assert_eq!((back.tokens, back.n_scored, back.line), (score.tokens, score.n_scored, score.line));
        let empty = DocumentScore::new(Vec::new(), 512, None, None);
        assert_eq!((empty.n_scored, empty.perplexity, empty.bits_per_byte), (0, None, None));
    }
}
