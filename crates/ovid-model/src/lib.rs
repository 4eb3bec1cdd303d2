//! GPT-2: configuration, weights, forward and backward.
