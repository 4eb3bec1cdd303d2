"""Writes GPT-2 models of the released shapes with seeded random weights, as Hugging Face folders: speed does not depend on the values.

    python make_models.py OUT gpt2 gpt2-medium

The tokenizer's files are GPT-2's own where --tokenizer names a folder that has vocab.json or encoder.json beside its merges.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SHAPES = {"gpt2": (768, 12, 12), "gpt2-medium": (1024, 24, 16), "gpt2-large": (1280, 36, 20), "gpt2-xl": (1600, 48, 25)}
VOCAB, CONTEXT = 50257, 1024


def tensors(width, n_layer):
    random = np.random.default_rng(1)

    def normal(*shape):
        return (random.standard_normal(shape, dtype=np.float32) * 0.02).astype(np.float32)

    yield "wte.weight", normal(VOCAB, width)
    yield "wpe.weight", normal(CONTEXT, width)
    for layer in range(n_layer):
        for name, shape in [
            ("attn.c_attn", (width, 3 * width)),
            ("attn.c_proj", (width, width)),
            ("mlp.c_fc", (width, 4 * width)),
            ("mlp.c_proj", (4 * width, width)),
        ]:
            yield f"h.{layer}.{name}.weight", normal(*shape)
            yield f"h.{layer}.{name}.bias", normal(shape[1])
        for name in ("ln_1", "ln_2"):
            yield f"h.{layer}.{name}.weight", 1 + normal(width)
            yield f"h.{layer}.{name}.bias", normal(width)
    yield "ln_f.weight", 1 + normal(width)
    yield "ln_f.bias", normal(width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+", choices=SHAPES)
    parser.add_argument("--tokenizer", type=Path, help="folder with GPT-2's encoder.json and vocab.bpe")
    options = parser.parse_args()
    for name in options.names:
        width, n_layer, n_head = SHAPES[name]
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors(width, n_layer)), folder / "model.safetensors", metadata={"format": "pt"})
        config = {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": VOCAB,
            "n_positions": CONTEXT,
            "n_ctx": CONTEXT,
            "n_embd": width,
            "n_layer": n_layer,
            "n_head": n_head,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "bos_token_id": 50256,
            "eos_token_id": 50256,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        if options.tokenizer:
            for source, target in [("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt")]:
                shutil.copy(options.tokenizer / source, folder / target)


if __name__ == "__main__":
    main()
