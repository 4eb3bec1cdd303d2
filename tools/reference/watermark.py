"""Watermarks by the definitions in crates/ovid-watermark/src, written anew from Python's hashlib and plain ChaCha: fixtures of ovid-watermark. Format: README.md.

Shares no code with Ovid and takes no short cut: the tournament is computed pair by pair, the race by logarithms of every token.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

import numpy as np
import scipy
from scipy import stats

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/ovid-watermark/tests/fixtures/reference.json"
SECRET = bytes(range(100, 132))
N_VOCAB = 300
rng = np.random.default_rng(77)


def chacha8_block(key, counter):
    """RFC 8439's block function with 8 rounds in place of 20; the nonce is 0."""
    rotate = lambda v, n: ((v << n) | (v >> (32 - n))) & 0xFFFFFFFF
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) + [counter, 0, 0, 0]
    s = start.copy()

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] = rotate(s[z] ^ s[x], n)

    for _ in range(4):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]


def words(label, context, n=N_VOCAB):
    seed = hmac.new(SECRET, b"ovid-watermark/1" + bytes([label]) + b"".join(struct.pack("<I", t) for t in context), hashlib.sha256).digest()
    return [w for block in range((n + 15) // 16) for w in chacha8_block(seed, block)][:n]


def green(context, gamma, self_hash):
    """Which tokens are green, and each one's anchor."""
    if not self_hash:
        return [(w & 0xFFFF) / 65536 < gamma for w in words(1, context)], None
    anchors = [(t,) for t in reversed(context)] + [()]
    streams = [words(2, a) for a in anchors]
    chosen = [min(range(len(anchors)), key=lambda i: (streams[i][t] >> 16, i)) for t in range(N_VOCAB)]
    return [(streams[i][t] & 0xFFFF) / 65536 < gamma for t, i in enumerate(chosen)], [anchors[i] for i in chosen]


def tournament(p, context, layers):
    w = np.array(words(4, context))
    # Before every eight rounds the least probable leave with what they have.
    part = np.full(len(p), True)
    for first in range(0, layers, 8):
        part &= p >= p[part].max() / 2**14
        mass = p[part].sum()
        now = p[part] / mass
        for layer in range(first, min(first + 8, layers)):
            g = w[part] >> layer & 1
            # The winner of a pair drawn from p: the stronger, equals by lot.
            wins = np.where(g[:, None] > g[None, :], 1.0, np.where(g[:, None] == g[None, :], 0.5, 0.0))
            now = 2 * now * (wins @ now)
        p = p.copy()
        p[part] = mass * now
    return p


def fresh(ids, n_prompt, width):
    seen = set()
    for i in range(max(n_prompt, width), len(ids)):
        context = tuple(ids[i - width : i])
        if context not in seen:
            seen.add(context)
            yield context, ids[i]


def judge(ids, n_prompt, scheme):
    if scheme["scheme"] == "green_list":
        width = scheme["context_width"] - scheme["self_hash"]
        hits, counted = [], set()
        for context, token in fresh(ids, n_prompt, width):
            is_green, anchors = green(context, scheme["gamma"], scheme["self_hash"])
            if anchors is not None:
                if (anchors[token], token) in counted:
                    continue
                counted.add((anchors[token], token))
            hits.append(is_green[token])
        return len(hits), float(np.mean(hits)), float(stats.binom.sf(sum(hits) - 1, len(hits), scheme["gamma"]))
    tokens = list(fresh(ids, n_prompt, scheme["context_width"]))
    n = len(tokens)
    if scheme["scheme"] == "gumbel":
        scores = [-np.log(1 - words(3, c)[t] / 2**32) for c, t in tokens]
        return n, float(np.mean(scores)), float(stats.gamma.sf(sum(scores), n))
    layers = scheme["n_layers"]
    weights = np.linspace(10, 1, layers)
    bits = np.array([[words(4, c)[t] >> l & 1 for l in range(layers)] for c, t in tokens])
    z = ((2 * bits - 1) @ weights).sum() / np.sqrt(n * (weights**2).sum())
    p = min(1.0, float(stats.norm.sf(z) / (4 * stats.norm.sf(np.sqrt(2))))) if z > 0 else 1.0
    return n, float((bits @ weights).mean() / weights.sum()), p


def main():
    contexts = {w: rng.integers(0, N_VOCAB, w).tolist() for w in (1, 3, 4)}
    weights = np.exp(rng.normal(0, 2, N_VOCAB)).astype(np.float32)
    weights /= weights.max()
    p = weights.astype(np.float64) / weights.astype(np.float64).sum()
    kept = sorted(rng.choice(N_VOCAB, 12, replace=False).tolist())
    races = []
    for _ in range(40):
        context = rng.integers(0, N_VOCAB, 4).tolist()
        arrivals = -np.log((np.array(words(3, context)) + 0.5) / 2**32) / p
        races.append(dict(context=context, winner=int(np.argmin(arrivals)), winner_of_kept=int(min(kept, key=lambda t: arrivals[t]))))
    schemes = [
        dict(scheme="green_list", gamma=0.25, delta=2.0, context_width=1, self_hash=False),
        dict(scheme="green_list", gamma=0.5, delta=1.5, context_width=3, self_hash=False),
        dict(scheme="green_list", gamma=0.25, delta=2.0, context_width=4, self_hash=True),
        dict(scheme="gumbel", context_width=4),
        dict(scheme="gumbel", context_width=1),
        dict(scheme="tournament", context_width=4, n_layers=30),
        dict(scheme="tournament", context_width=2, n_layers=5),
    ]
    # Few tokens, so that contexts and pairs come again; the second text leans to one side of the green list of width 1.
    text = rng.integers(0, 12, 90).tolist()
    leaning = [5]
    while len(leaning) < 60:
        is_green, _ = green(leaning[-1:], 0.25, False)
        leaning.append(int(rng.choice([t for t in range(N_VOCAB) if is_green[t]])))
    value = {
        "made_with": {"python": sys.version.split()[0], "scipy": scipy.__version__, "numpy": np.__version__},
        "secret": SECRET.hex(),
        "id": hmac.new(SECRET, b"ovid-watermark/1 identity", hashlib.sha256).digest()[:8].hex(),
        "n_vocab": N_VOCAB,
        "green": [
            dict(context=contexts[w], gamma=g, self_hash=s, tokens=[t for t, hit in enumerate(green(contexts[w], g, s)[0]) if hit])
            for w, g, s in ((1, 0.25, False), (4, 0.5, False), (3, 0.25, True), (1, 0.3, True))
        ],
        "weights": weights.tolist(),
        "kept": kept,
        "races": races,
        "tournaments": [dict(context=contexts[4], n_layers=m, probabilities=tournament(p, contexts[4], m).tolist()) for m in (1, 7, 8, 30)],
        "texts": [
            dict(ids=ids, n_prompt=n, trials=[dict(zip(("n", "score", "p_value"), judge(ids, n, s)), **{"by": s}) for s in schemes])
            for ids, n in ((text, 0), (text, 10), (leaning, 1))
        ],
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(value) + "\n")


if __name__ == "__main__":
    main()
