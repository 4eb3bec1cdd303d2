//! The arithmetic of GPT-2, forward and backward.
