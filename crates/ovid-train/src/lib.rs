//! Training: data order, optimiser, schedule, checkpoints.
