"""The rows that `ovid train` with order = "windows" sees, made independently of it, for pytorch_train.py --rows.

    python window_rows.py SEED N_ROWS CONTEXT ROWS.npy TRAIN.npy...

Row g begins at floor(u * (n - CONTEXT) / 2^64), where u is 64 bits of Philox4x32-10 (Salmon et al. 2011) at counter (g, purpose 0x74720004) under key SEED, and n is the
number of tokens of all shards together, in the order given. `cargo run --release -p ovid-train --example rows` writes the same for either order.
"""

import sys

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter, key):
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> HALF) ^ b ^ np.uint64(k0), q & LOW, (p >> HALF) ^ d ^ np.uint64(k1), p & LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def main():
    seed, n_rows, context = map(int, sys.argv[1:4])
    tokens = np.concatenate([np.load(path) for path in sys.argv[5:]])
    row = np.arange(n_rows, dtype=np.uint64)
    zero = np.zeros(n_rows, np.uint64)
    low, high, _, _ = philox((row & LOW, row >> HALF, zero + np.uint64(0x74720004), zero), (seed & 0xFFFFFFFF, seed >> 32))
    starts = [((int(h) << 32 | int(l)) * (len(tokens) - context)) >> 64 for l, h in zip(low, high)]
    np.save(sys.argv[4], np.stack([tokens[s : s + context + 1] for s in starts]).astype(np.uint32))


main()
