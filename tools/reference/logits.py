"""Logits of odd GPT-2 shapes by transformers, in f32 and f64: fixtures of ovid-model. Format: README.md."""

import copy
import shutil

import numpy as np
import safetensors.numpy
import torch
from transformers import GPT2LMHeadModel

from common import MODEL_FIXTURES, batch_of, ids_of, save, seeded_model, small_config, versions, write_json

HERE = MODEL_FIXTURES / "logits"

# name: (seed, GPT2Config keys, lengths, how it is stored)
FIXTURES = {
    "head10": (11, dict(vocab_size=97, n_positions=33, n_embd=20, n_layer=2, n_head=2), [1, 2, 17, 33], {}),
    "context1": (12, dict(vocab_size=13, n_positions=1, n_embd=6, n_layer=1, n_head=3), [1, 1, 1], {}),
    "head48": (
        13,
        dict(vocab_size=101, n_positions=24, n_embd=48, n_layer=1, n_head=1, n_inner=100, activation_function="gelu"),
        [1, 5, 24],
        {"layout": "bare"},
    ),
    "inner7-relu": (
        14,
        dict(vocab_size=50, n_positions=19, n_embd=21, n_layer=3, n_head=3, n_inner=7, activation_function="relu", layer_norm_epsilon=1e-3, reorder_and_upcast_attn=True),
        [1, 3, 16, 19],
        {},
    ),
    "silu-by-layer": (
        15,
        dict(vocab_size=64, n_positions=32, n_embd=16, n_layer=4, n_head=4, activation_function="silu", scale_attn_by_inverse_layer_idx=True),
        [1, 15, 32],
        {"shard": "12KB"},
    ),
    "tanh-untied": (
        16,
        dict(vocab_size=83, n_positions=20, n_embd=24, n_layer=2, n_head=8, activation_function="tanh", tie_word_embeddings=False),
        [1, 7, 20],
        {},
    ),
    "original-unscaled": (
        17,
        dict(vocab_size=71, n_positions=18, n_embd=18, n_layer=2, n_head=2, scale_attn_weights=False),
        [1, 9, 18],
        {"layout": "original"},
    ),
    "mid": (
        18,
        dict(vocab_size=131, n_positions=80, n_embd=48, n_layer=3, n_head=3),
        [80],
        {"shard": "150KB"},
    ),
    "bf16": (19, dict(vocab_size=67, n_positions=25, n_embd=21, n_layer=2, n_head=3, n_inner=33), [1, 8, 25], {"dtype": torch.bfloat16}),
    "f16": (20, dict(vocab_size=79, n_positions=26, n_embd=36, n_layer=2, n_head=3), [1, 11, 26], {"dtype": torch.float16}),
}


def logits(model, ids):
    with torch.no_grad():
        return model(batch_of(ids)).logits[0].double().numpy()


def dropped(model, ids):
    """Greatest change of any logit of `ids` when one part of the arithmetic is left out."""
    whole = logits(model, ids)
    change = {}

    def without(label, mend):
        other = copy.deepcopy(model)
        with torch.no_grad():
            mend(other)
        change[label] = round(float(np.abs(logits(other, ids) - whole).max()), 6)

    for name, value in model.named_parameters():
        short = name.removeprefix("transformer.")
        if short.endswith("c_attn.bias"):
            third = value.numel() // 3
            for i, part in enumerate("qkv"):
                without(f"{short}.{part}", lambda m: m.get_parameter(name)[i * third : (i + 1) * third].zero_())
        elif short.endswith("bias"):
            without(short, lambda m: m.get_parameter(name).zero_())
        elif "ln_" in short:
            without(short, lambda m: m.get_parameter(name).fill_(1.0))
    without("position", lambda m: m.transformer.wpe.weight.zero_())
    if len(ids) > 1:

        def unscaled(m):
            for block in m.transformer.h:
                block.attn.scaling = 1.0 if block.attn.scaling != 1.0 else block.attn.head_dim**-0.5

        without("scale", unscaled)
        seen = {}
        hooks = [block.attn.c_attn.register_forward_hook(lambda _m, _i, o, b=block: seen.update({b: o})) for block in model.transformer.h]
        logits(model, ids)
        for hook in hooks:
            hook.remove()
        greatest = []
        for block, qkv in seen.items():
            heads = model.config.n_head
            q, k, _ = (part[0].unflatten(-1, (heads, -1)).transpose(0, 1) for part in qkv.chunk(3, dim=-1))
            scores = (q @ k.mT * block.attn.scaling).masked_fill(torch.ones(len(ids), len(ids)).triu(1).bool(), -torch.inf)
            greatest.append(float(scores.softmax(-1)[:, len(ids) // 2 :].amax(-1).mean()))
        change["mean_greatest_attention"] = [round(g, 3) for g in greatest]
        # Without the mask the first row would see later tokens: it must not change when they do.
        other = ids.copy()
        other[-1] = (other[-1] + 1) % model.config.vocab_size
        assert np.array_equal(logits(model, other)[:1], whole[:1])
    return change


def round_inputs_to_bf16(model):
    model = copy.deepcopy(model)

    def rounded(_module, inputs):
        return (inputs[0].float().bfloat16().double(),)

    for block in model.transformer.h:
        for product in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            product.register_forward_pre_hook(rounded)
    model.lm_head.register_forward_pre_hook(rounded)
    return model


def store(model, folder, how):
    """Writes the model in f32 (or its stored type) as save_pretrained does, or as openai's gpt2 repository lies."""
    dtype = how.get("dtype", torch.float32)
    whole = copy.deepcopy(model).to(dtype)
    whole.config.dtype = dtype
    layout = how.get("layout", "prefixed")
    if layout == "prefixed":
        whole.save_pretrained(folder, max_shard_size=how.get("shard", "5GB"))
        return
    whole.transformer.save_pretrained(folder)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"GPT2Model"', '"GPT2LMHeadModel"'))
    if layout == "original":
        # The first gpt2 repository also stores each layer's causal mask.
        path = folder / "model.safetensors"
        tensors = safetensors.numpy.load_file(path)
        length = model.config.n_positions
        for layer in range(model.config.n_layer):
            tensors[f"h.{layer}.attn.bias"] = np.tril(np.ones((1, 1, length, length), np.float32))
        save(path, tensors, {"format": "pt"})


def make(name, seed, keys, lengths, how):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = seeded_model(small_config(**keys), seed)
    if "dtype" in how:
        model = model.to(how["dtype"]).double()
    single = copy.deepcopy(model).float()
    store(model, folder, how)
    (folder / "generation_config.json").unlink(missing_ok=True)
    loaded = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    expected = {}
    error = 0.0
    values = []
    for i, length in enumerate(lengths):
        ids = ids_of(length, model.config.vocab_size, seed * 100 + i)
        expected[f"ids.{i}"] = ids
        f32, f64 = logits(single, ids), logits(model, ids)
        # Not to the bit: where the tensors lie in memory decides which product kernel torch takes.
        assert np.abs(logits(loaded, ids) - f32).max() < 1e-4, "what was stored is not what was computed"
        expected[f"logits32.{i}"] = f32.astype(np.float32)
        expected[f"logits64.{i}"] = f64.astype(np.float32)
        error = max(error, float(np.abs(f32 - f64).max()))
        values.append(f64)
        if how.get("dtype") is torch.bfloat16:
            expected[f"logits_bf16x.{i}"] = logits(round_inputs_to_bf16(model), ids).astype(np.float32)
    save(folder / "expected.safetensors", expected)
    return {
        "name": name,
        "seed": seed,
        "config": keys,
        "n_params": sum(p.numel() for p in model.parameters()),
        "stored": str(how.get("dtype", torch.float32)).removeprefix("torch."),
        "layout": how.get("layout", "prefixed"),
        "files": sorted(p.name for p in folder.iterdir()),
        "lengths": lengths,
        "logits_std": round(float(np.concatenate(values).std()), 3),
        "f32_error": float(f"{error:.0e}"),
        "dropped": dropped(model, ids_of(lengths[-1], model.config.vocab_size, seed * 100 + len(lengths) - 1)),
    }


def main():
    index = [make(name, *rest) for name, rest in FIXTURES.items()]
    write_json(HERE / "index.json", {"made_with": versions(), "fixtures": index})
    for entry in index:
        weakest = min((v for k, v in entry["dropped"].items() if isinstance(v, float) and not k.endswith(".k")), default=0)
        print(entry["name"], "std", entry["logits_std"], "f32 error", entry["f32_error"], "weakest drop", weakest, entry["dropped"].get("mean_greatest_attention"))


if __name__ == "__main__":
    main()
