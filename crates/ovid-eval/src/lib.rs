//! Scoring of text: log-probabilities, ranks, perplexity, bits per byte.
