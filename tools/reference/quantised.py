"""Small GPT-2 GGUFs as llama.cpp's own quantiser writes them: fixtures of ovid-model's GGUF reader. Format: README.md.

LLAMA_CPP_BIN names the folder of llama-quantize and libllama.so, LLAMA_CPP_PYTHON the bindings (README: how llama.cpp is built).
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import gguf
import numpy as np
import torch

from common import MODEL_FIXTURES, ids_of, save, seeded_model, small_config, versions, write_json
from llama_greedy import Llama, greedy
from logits import logits

HERE = MODEL_FIXTURES / "gguf"
BIN = pathlib.Path(os.environ.get("LLAMA_CPP_BIN") or exit("quantised.py: set LLAMA_CPP_BIN and LLAMA_CPP_PYTHON (README.md, llama.cpp)"))
MERGES = ["Ġ t", "h e", "Ġt he"]

# name: (seed, GPT2Config keys, types to write)
SMALL = dict(vocab_size=260, n_positions=16, n_embd=32, n_layer=1, n_head=2, n_inner=64)
FIXTURES = {
    "tied": (61, SMALL, ["F32", "F16", "BF16", "Q8_0", "Q4_0"]),
    "untied": (62, SMALL | {"tie_word_embeddings": False}, ["Q4_0"]),
    "wide": (63, dict(vocab_size=260, n_positions=16, n_embd=256, n_layer=1, n_head=4, n_inner=256), ["Q4_K_M"]),
}

NAMES = {
    "wte.weight": "token_embd.weight",
    "wpe.weight": "position_embd.weight",
    "ln_f.weight": "output_norm.weight",
    "ln_f.bias": "output_norm.bias",
    "lm_head.weight": "output.weight",
}
BLOCK_NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def gguf_name(name):
    name = name.removeprefix("transformer.")
    if name in NAMES:
        return NAMES[name]
    _, layer, rest = name.split(".", 2)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{BLOCK_NAMES[part]}.{kind}"


def byte_characters():
    """GPT-2's printable stand-ins for bytes, in the order in which its vocabulary begins."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def write_f32(model, path):
    config = model.config
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_name("ovid reference")
    writer.add_block_count(config.n_layer)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(config.n_inner)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    tokens = byte_characters() + [m.replace(" ", "") for m in MERGES] + ["<|endoftext|>"]
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 259 + [gguf.TokenType.CONTROL])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(259)
    writer.add_eos_token_id(259)
    for name, value in model.named_parameters():
        array = value.detach().float().numpy()
        if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            array = array.T
        writer.add_tensor(gguf_name(name), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def dequantised(path):
    """Names to (type, f32 values) by gguf-py."""
    found = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        found[tensor.name] = (tensor.tensor_type.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape))
    return found


def with_weights(config, tensors):
    """A model in f64 with what the file holds."""
    model = seeded_model(config, 0)
    with torch.no_grad():
        for name, value in model.named_parameters():
            array = tensors[gguf_name(name)][1].astype(np.float64)
            value.copy_(torch.from_numpy(array.T if array.T.shape == tuple(value.shape) and "weight" in name and ".c_" in name else array))
    return model


def quantise_inputs(model, block):
    """What `exact-1` does before a product with block-quantised weights: x in blocks of 8-bit numbers, scale amax/127, ties to even."""

    def rounded(_module, inputs):
        x = inputs[0].unflatten(-1, (-1, block))
        # As f32 arithmetic: the scale is rounded to f32, so are the quotients before they are rounded to integers.
        scale = (x.float().abs().amax(-1, keepdim=True) / 127).double()
        q = torch.where(scale > 0, (x.float() * (1 / scale).float()).round(), 0).double()
        return ((q * scale).flatten(-2),)

    for part in model.transformer.h:
        for product in (part.attn.c_attn, part.attn.c_proj, part.mlp.c_fc, part.mlp.c_proj):
            product.register_forward_pre_hook(rounded)
    model.lm_head.register_forward_pre_hook(rounded)
    return model


def make(name, seed, keys, types, scratch):
    config = small_config(**keys)
    f32 = scratch / f"{name}.gguf"
    write_f32(seeded_model(config, seed), f32)
    ids = ids_of(8, config.vocab_size, seed)
    entries, expected = [], {}
    for kind in types:
        path = HERE / f"{name}.{kind}.gguf"
        if kind == "F32":
            shutil.copy(f32, path)
        else:
            subprocess.run([BIN / "llama-quantize", f32, path, kind, "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        tensors = dequantised(path)
        key = f"{name}.{kind}"
        listed = {}
        for tensor, (stored, values) in tensors.items():
            listed[tensor] = {"type": stored, "shape": list(values.shape), "sha256": hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()}
            if stored.startswith("Q"):
                expected[f"{key}/{tensor}"] = values[[0, len(values) // 2, -1]].astype(np.float32)
        expected[f"{key}/ids"] = ids
        expected[f"{key}/logits"] = logits(with_weights(config, tensors), ids).astype(np.float32)
        if kind.startswith("Q"):
            for block in (32, 256) if config.n_embd % 256 == 0 else (32,):
                expected[f"{key}/logits_q8x{block}"] = logits(quantise_inputs(with_weights(config, tensors), block), ids).astype(np.float32)
        expected[f"{key}/llama_cpp"] = Llama(path, len(ids)).evaluate(ids)
        gap = float(np.abs(expected[f"{key}/llama_cpp"] - expected[f"{key}/logits"]).max())
        entries.append({"file": path.name, "seed": seed, "config": keys, "llama_cpp_from_f64": round(gap, 4), "tensors": listed})
        print(path.name, path.stat().st_size, {v["type"] for v in listed.values()}, "llama.cpp differs by", round(gap, 4))
    return entries, expected


def write_greedy():
    """200 greedy tokens of llama.cpp from prompts of several lengths, with a model whose context holds them."""
    config = small_config(vocab_size=260, n_positions=224, n_embd=32, n_layer=2, n_head=2, n_inner=48, tie_word_embeddings=False)
    model = seeded_model(config, 64, logits_std=3.0)
    with torch.no_grad():
        # One token that is favoured everywhere would be chosen everywhere.
        model.transformer.ln_f.bias.zero_()
    path = HERE / "greedy.F32.gguf"
    write_f32(model, path)
    runs = []
    for length in (1, 7, 24):
        found = greedy(path, ids_of(length, 259, 640 + length).tolist(), 200, 1)
        found["model"] = path.name
        found["gap"] = [round(g, 6) for g in found["gap"]]
        runs.append(found)
        print(path.name, length, "prompt ids:", len(set(found["tokens"])), "distinct tokens,", sum(g < 0.05 for g in found["gap"]), "gaps under 0.05")
    write_json(HERE / "greedy.json", runs, indent=None)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    entries, expected = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (seed, keys, types) in FIXTURES.items():
            made, values = make(name, seed, keys, types, pathlib.Path(scratch))
            entries += made
            expected |= values
    write_greedy()
    save(HERE / "expected.safetensors", expected)
    write_json(HERE / "index.json", {"made_with": versions() | {"llama.cpp": "0c1e57098 (llama-cpp-python 0.3.36)"}, "files": entries})


if __name__ == "__main__":
    main()
