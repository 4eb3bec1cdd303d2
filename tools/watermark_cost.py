"""What a watermark costs in decoding time: `ovid generate` with and without one, in turn, so that both meet the same machine.

    python tools/watermark_cost.py target/release/ovid [--model GGUF] [--samples N] [--tokens N] [--rounds N]

Each figure is the least of the rounds, of the time between a short and a long run (loading and the first tokens cancel), by token and sample. Without --model the built-in
one. Random weights suffice: `--random-124m FOLDER` writes such a GPT-2 of 124 million parameters as a Hugging Face folder, to be converted with `ovid convert --dtype q8_0`
(numpy, safetensors and GPT-2's vocabulary in ../shared are needed for that alone).
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

SCHEMES = {
    "none": [],
    "green-list": ["--scheme", "green-list"],
    "green-list, self-hash": ["--scheme", "green-list", "--self-hash"],
    "gumbel": ["--scheme", "gumbel"],
    "tournament": ["--scheme", "tournament"],
}
SAMPLERS = {"full vocabulary": ["-k", "0"], "top-k 40": ["-k", "40"]}


def random_124m(folder):
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    n, layers, vocab, context = 768, 12, 50257, 1024
    normal = lambda *shape: (0.02 * rng.standard_normal(shape)).astype(np.float32)
    one, zero = (lambda k: np.ones(k, np.float32)), (lambda k: np.zeros(k, np.float32))
    tensors = {"wte.weight": normal(vocab, n), "wpe.weight": normal(context, n), "ln_f.weight": one(n), "ln_f.bias": zero(n)}
    for i in range(layers):
        h = f"h.{i}."
        for ln in ("ln_1", "ln_2"):
            tensors |= {f"{h}{ln}.weight": one(n), f"{h}{ln}.bias": zero(n)}
        for name, rows, columns in (("attn.c_attn", n, 3 * n), ("attn.c_proj", n, n), ("mlp.c_fc", n, 4 * n), ("mlp.c_proj", 4 * n, n)):
            tensors |= {f"{h}{name}.weight": normal(rows, columns), f"{h}{name}.bias": zero(columns)}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = dict(model_type="gpt2", vocab_size=vocab, n_positions=context, n_embd=n, n_layer=layers, n_head=12, activation_function="gelu_new")
    (folder / "config.json").write_text(json.dumps(config))
    shared = pathlib.Path(__file__).resolve().parents[2] / "shared/data/tokenizer"
    shutil.copy(shared / "encoder.json", folder / "vocab.json")
    shutil.copy(shared / "vocab.bpe", folder / "merges.txt")


def seconds(ovid, flags, samples, tokens):
    command = [ovid, "generate", "--json", "--quiet", "--seed", "1", "--ignore-end", "-n", str(samples), "-l", str(tokens), *flags]
    start = time.perf_counter()
    subprocess.run([*command, "It was a dark and stormy night, and then"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ovid")
    parser.add_argument("--model")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--random-124m", type=pathlib.Path)
    asked = parser.parse_args()
    if asked.random_124m:
        return random_124m(asked.random_124m)
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        subprocess.run([asked.ovid, "watermark", "keygen", "--quiet", key], check=True, stdout=subprocess.DEVNULL)
        model = ["--model", asked.model] if asked.model else []
        best = {}
        for _ in range(asked.rounds):
            for sampler, k in SAMPLERS.items():
                for scheme, flags in SCHEMES.items():
                    flags = model + k + (["--watermark", key, *flags] if flags else [])
                    short, long = (seconds(asked.ovid, flags, asked.samples, n) for n in (8, 8 + asked.tokens))
                    name = (sampler, scheme)
                    old = best.get(name, (1e9, 1e9))
                    best[name] = (min(old[0], short), min(old[1], long))
    print("| sampler | watermark | microseconds a token | cost |\n| --- | --- | --- | --- |")
    for (sampler, scheme), (short, long) in best.items():
        time_of = lambda pair: 1e6 * (pair[1] - pair[0]) / asked.tokens / asked.samples
        plain = time_of(best[sampler, "none"])
        print(f"| {sampler} | {scheme} | {time_of((short, long)):.0f} | {100 * (time_of((short, long)) / plain - 1):+.1f}% |")


if __name__ == "__main__":
    main()
