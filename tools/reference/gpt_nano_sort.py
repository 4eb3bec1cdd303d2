"""Turns minGPT's trained gpt-nano-sort (JSON with base64 arrays) into a Hugging Face folder, and checks its stored activations.

    python gpt_nano_sort.py ../shared/data/misc/gpt_nano_sort OUT

OUT gets config.json, model.safetensors and partials.safetensors (the stored activations: ids U32 `idx`, the rest F32).
minGPT's names are GPT-2's; what differs: products are torch Linear ([out, in], so they are transposed), the head is its
own matrix, each layer stores its causal mask (attn.bias), and the context is called block_size.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import GPT2LMHeadModel

from common import save, write_json

PRODUCTS = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def arrays(path):
    raw = json.loads(path.read_text())
    found = {k: np.frombuffer(base64.b64decode(v["data"]), "<f4").reshape(v["shape"]) for k, v in raw.items() if k != "config"}
    return raw["config"], found


def main():
    source, out = map(pathlib.Path, sys.argv[1:3])
    config, weights = arrays(source / "gpt-nano-sort-model.json")
    _, partials = arrays(source / "gpt-nano-sort-t0-partials.json")
    tensors = {k: v.T if k.endswith(PRODUCTS) else v for k, v in weights.items() if not k.endswith(".attn.bias")}
    save(out / "model.safetensors", tensors, {"format": "pt"})
    write_json(
        out / "config.json",
        {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": config["vocab_size"],
            "n_positions": config["block_size"],
            "n_embd": config["n_embd"],
            "n_layer": config["n_layer"],
            "n_head": config["n_head"],
            "activation_function": "gelu_new",
            "tie_word_embeddings": False,
            "bos_token_id": None,
            "eos_token_id": None,
        },
    )
    stored = {k: v for k, v in partials.items() if k != "idx"} | {"idx": partials["idx"].astype(np.uint32)}
    save(out / "partials.safetensors", stored)
    model = GPT2LMHeadModel.from_pretrained(out, dtype=torch.float32).eval()
    with torch.no_grad():
        result = model(torch.from_numpy(partials["idx"].astype(np.int64)), output_hidden_states=True)
    for name, value in {"x": result.hidden_states[0], "block0": result.hidden_states[1], "block1": result.hidden_states[2], "ln_f": result.hidden_states[3], "lm_head": result.logits}.items():
        print(name, partials[name].shape, "differs by at most", float(np.abs(value.numpy() - partials[name]).max()))


if __name__ == "__main__":
    main()
