"""Ten steps of torch.optim.AdamW in float64, and learning-rate schedules: fixtures of ovid-train. Format: README.md."""

import json
import math

import numpy as np
import torch

from common import TRAIN_FIXTURES, save, versions, write_json
from gradients import ragged_batch, seeded_params, torch_targets
from plain_gpt2 import loss_sum

STEPS = 10

# name: (seed, config, batch, length, settings)
FIXTURES = {
    "bias-cosine": (
        51,
        dict(vocab_size=43, n_positions=14, n_embd=20, n_layer=2, n_head=2),
        3,
        14,
        dict(kind="cosine", peak=1e-2, minimum=1e-3, warmup=3, total=10, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, clip=1.0),
    ),
    "no-bias-linear": (
        52,
        dict(vocab_size=37, n_positions=10, n_embd=18, n_layer=1, n_head=3, bias=False),
        2,
        10,
        dict(kind="linear", peak=6e-3, minimum=0.0, warmup=2, total=12, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.3, clip=1.0),
    ),
    "unclipped-untied": (
        53,
        dict(vocab_size=23, n_positions=9, n_embd=12, n_layer=1, n_head=1, tie_word_embeddings=False),
        4,
        9,
        dict(kind="cosine", peak=3e-3, minimum=3e-4, warmup=0, total=8, beta1=0.8, beta2=0.999, eps=1e-5, weight_decay=0.01, clip=1e9),
    ),
}


def rate(step, kind, peak, minimum, warmup, total):
    """nanoGPT's schedule; the linear one differs in the curve alone."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if step >= total:
        return minimum
    done = (step - warmup) / (total - warmup)
    left = 0.5 * (1.0 + math.cos(math.pi * done)) if kind == "cosine" else 1.0 - done
    return minimum + left * (peak - minimum)


def make(name, seed, config, batch, length, settings):
    params = seeded_params(config, seed)
    rng = np.random.default_rng(seed + 1000)
    batches = [ragged_batch(config, batch, length, rng) for _ in range(STEPS)]
    leaves = {k: torch.nn.Parameter(torch.from_numpy(v.astype(np.float64))) for k, v in params.items()}
    decayed = [k for k, v in leaves.items() if v.dim() >= 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": [leaves[k] for k in decayed], "weight_decay": settings["weight_decay"]},
            {"params": [v for k, v in leaves.items() if k not in decayed], "weight_decay": 0.0},
        ],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"],
    )
    schedule = {k: settings[k] for k in ("kind", "peak", "minimum", "warmup", "total")}
    rates, losses, norms = [rate(step, **schedule) for step in range(STEPS)], [], []
    for learning_rate, (tokens, targets) in zip(rates, batches):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        targets = torch_targets(targets)
        loss = loss_sum(leaves, config, torch.from_numpy(tokens.astype(np.int64)), targets) / (targets >= 0).sum()
        optimiser.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(leaves.values(), settings["clip"]).item())
        losses.append(loss.item())
        optimiser.step()
    tensors = {f"param.{k}": v for k, v in params.items()}
    tensors |= {f"final.{k}": v.detach().numpy().astype(np.float32) for k, v in leaves.items()}
    tensors |= {"tokens": np.stack([b[0] for b in batches]), "targets": np.stack([b[1] for b in batches])}
    tensors |= {"losses": np.array(losses), "norms": np.array(norms)}
    full = {"bias": True, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True} | config
    metadata = {"config": json.dumps(full), "settings": json.dumps(settings | {"learning_rates": rates, "decayed": decayed})}
    save(TRAIN_FIXTURES / "adamw" / f"{name}.safetensors", tensors, metadata)
    return {"name": name, "seed": seed, "config": full, "settings": settings, "learning_rates": rates, "losses": losses, "norms": norms}


def schedules():
    found = []
    for kind, peak, minimum, warmup, total in [
        ("cosine", 1e-3, 1e-4, 100, 2000),
        ("cosine", 6e-4, 6e-5, 0, 10),
        ("cosine", 6e-4, 0.0, 2000, 600_000),
        ("linear", 1e-3, 1e-4, 100, 2000),
        ("linear", 2.5e-4, 0.0, 1, 7),
        ("linear", 2.5e-4, 0.0, 0, 1),
    ]:
        marks = {0, 1, 2, warmup - 1, warmup, warmup + 1, (warmup + total) // 3, (warmup + total) // 2, total - 2, total - 1, total, total + 5}
        steps = sorted(s for s in marks if s >= 0)
        rates = [rate(s, kind, peak, minimum, warmup, total) for s in steps]
        found.append({"kind": kind, "peak": peak, "minimum": minimum, "warmup": warmup, "total": total, "steps": steps, "rates": rates})
    return found


def main():
    index = [make(name, *rest) for name, rest in FIXTURES.items()]
    write_json(TRAIN_FIXTURES / "adamw" / "index.json", {"made_with": versions(), "clip": "gradient * min(1, clip / (norm + 1e-6)), as clip_grad_norm_", "fixtures": index})
    formula = "step < warmup: peak (step + 1) / (warmup + 1); then minimum + left (peak - minimum), left = (1 + cos(pi d)) / 2 or 1 - d, d = (step - warmup) / (total - warmup), from total on minimum"
    write_json(TRAIN_FIXTURES / "schedules.json", {"formula": formula, "schedules": schedules()})
    for entry in index:
        print(entry["name"], [round(x, 3) for x in entry["losses"]], [round(x, 2) for x in entry["norms"]])


if __name__ == "__main__":
    main()
