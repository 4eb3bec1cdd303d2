"""Gradients of the mean loss of small GPT-2s in float64: fixtures of ovid-model's backward pass. Format: README.md."""

import shutil

import numpy as np
import torch
from transformers import GPT2LMHeadModel

from common import MODEL_FIXTURES, NOT_COUNTED, loud_weights, save, small_config, versions, write_json
from plain_gpt2 import loss_sum, shapes

HERE = MODEL_FIXTURES / "gradients"

# name: (seed, config, batch, length)
FIXTURES = {
    "head10": (31, dict(vocab_size=47, n_positions=17, n_embd=20, n_layer=2, n_head=2), 3, 17),
    "no-bias": (32, dict(vocab_size=65, n_positions=16, n_embd=18, n_layer=2, n_head=3, bias=False), 4, 16),
    "no-bias-erf": (36, dict(vocab_size=33, n_positions=12, n_embd=16, n_layer=1, n_head=4, bias=False, activation_function="gelu"), 2, 12),
    "untied-relu": (33, dict(vocab_size=31, n_positions=9, n_embd=21, n_layer=1, n_head=3, n_inner=13, activation_function="relu", tie_word_embeddings=False), 2, 7),
    "silu-by-layer": (34, dict(vocab_size=29, n_positions=20, n_embd=12, n_layer=3, n_head=3, activation_function="silu", scale_attn_by_inverse_layer_idx=True, layer_norm_epsilon=1e-4), 2, 20),
    "tanh-context1": (35, dict(vocab_size=11, n_positions=1, n_embd=6, n_layer=1, n_head=1, activation_function="tanh"), 5, 1),
}


def seeded_params(config, seed):
    """Weights as in the logits fixtures, but logits of a deviation near 1.5: a loss that is all one token has no gradient."""
    rng = np.random.default_rng(seed)
    head = 1.5 / np.sqrt(config["n_embd"]) / 1.2
    return {name: loud_weights(name, shape, rng, head=head).astype(np.float32) for name, shape in shapes(config).items()}


def ragged_batch(config, batch, length, rng):
    """Row r counts targets up to a length of its own, and now and then skips one in the middle."""
    tokens = rng.integers(0, config["vocab_size"], (batch, length)).astype(np.uint32)
    targets = rng.integers(0, config["vocab_size"], (batch, length)).astype(np.uint32)
    for row in range(1, batch):
        if length > 1:
            targets[row, rng.integers(length // 2, length) :] = NOT_COUNTED
            targets[row, rng.integers(0, length // 2)] = NOT_COUNTED
    if length == 1:
        targets[-1] = NOT_COUNTED
    return tokens, targets


def torch_targets(targets):
    return torch.from_numpy(np.where(targets == NOT_COUNTED, -1, targets.astype(np.int64)))


def gradients(params, config, tokens, targets):
    leaves = {name: torch.from_numpy(value.astype(np.float64)).requires_grad_() for name, value in params.items()}
    total = loss_sum(leaves, config, torch.from_numpy(tokens.astype(np.int64)), torch_targets(targets))
    counted = int((targets != NOT_COUNTED).sum())
    (total / counted).backward()
    return total.item(), counted, {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def check_against_transformers(params, config, tokens, targets, total, found):
    """The plain model must itself be right: transformers' autograd gives the same, where it can hold the shape."""
    if not config.get("bias", True):
        return
    model = GPT2LMHeadModel(small_config(**{k: v for k, v in config.items() if k != "bias"})).double().eval()
    with torch.no_grad():
        for name, value in params.items():
            model.get_parameter(name if name.startswith("lm_head") else f"transformer.{name}").copy_(torch.from_numpy(value))
    values = model(torch.from_numpy(tokens.astype(np.int64))).logits.flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(values, torch_targets(targets).flatten(), ignore_index=-1)
    loss.backward()
    assert abs(loss.item() * (targets != NOT_COUNTED).sum() - total) < 1e-9 * total
    for name, value in found.items():
        other = model.get_parameter(name if name.startswith("lm_head") else f"transformer.{name}").grad.numpy()
        assert np.abs(other - value).max() < 1e-10, name


def make(name, seed, config, batch, length):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    params = seeded_params(config, seed)
    tokens, targets = ragged_batch(config, batch, length, np.random.default_rng(seed + 1000))
    total, counted, found = gradients(params, config, tokens, targets)
    check_against_transformers(params, config, tokens, targets, total, found)
    tensors = {f"param.{k}": v for k, v in params.items()} | {f"grad.{k}": v.astype(np.float32) for k, v in found.items()}
    tensors |= {"tokens": tokens, "targets": targets, "loss_sum": np.array([total]), "n_counted": np.array([counted], np.uint32)}
    save(folder / "step.safetensors", tensors)
    full = {"model_type": "gpt2", "bias": True, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True}
    full |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    write_json(folder / "config.json", full | config)
    norms = {k: float(f"{np.linalg.norm(v):.4e}") for k, v in found.items()}
    return {"name": name, "seed": seed, "batch": [batch, length], "n_counted": counted, "mean_loss_nats": round(total / counted, 6), "gradient_norms": norms}


def main():
    index = [make(name, *rest) for name, rest in FIXTURES.items()]
    write_json(HERE / "index.json", {"made_with": versions(), "fixtures": index})
    for entry in index:
        least = min((n for k, n in entry["gradient_norms"].items()))
        print(entry["name"], entry["mean_loss_nats"], "least norm", least)


if __name__ == "__main__":
    main()
