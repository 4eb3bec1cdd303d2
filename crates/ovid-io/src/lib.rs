//! Files: atomic writes, memory maps, checkpoint formats, documents, digests, the hub, progress.
