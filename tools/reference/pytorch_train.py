"""Trains a GPT-2 in plain torch on given rows in a given order, to hold `ovid train` against the same shape and tokens.

    python pytorch_train.py --config config.json --tokens train-*.npy --offsets order.u64 --batch 16 --length 256 \\
        --val-tokens val-*.npy [--steps N] [--save FOLDER]

Rows: either token shards (one-dimensional .npy, uint16 or uint32, joined in the order given) with a file of little-endian
u64 start offsets, one a row, `batch` rows a step, each row reading length + 1 tokens; or `--rows FILE.npy`, two-dimensional
[rows, length + 1]. Validation: the whole of the given shards in windows of `length` that do not overlap.
stdout has JSON Lines: step, loss_nats, learning_rate, norm; and step, val_loss_nats, n_tokens.
"""

import argparse
import json
import math
import pathlib
import sys
import time

import numpy as np
import safetensors.numpy
import torch

from plain_gpt2 import loss_sum, shapes


def initial(config, seed, folder):
    """GPT-2's: normal 0.02, projections into the residual by 1/sqrt(2 layers); or the weights of a Hugging Face folder."""
    if folder:
        stored = safetensors.numpy.load_file(pathlib.Path(folder) / "model.safetensors")
        stored = {name.removeprefix("transformer."): value for name, value in stored.items()}
        return {name: torch.nn.Parameter(torch.from_numpy(stored[name]).float().clone()) for name in shapes(config)}
    generator = torch.Generator().manual_seed(seed)
    params = {}
    for name, shape in shapes(config).items():
        if name.endswith("bias"):
            value = torch.zeros(shape)
        elif len(shape) == 1:
            value = torch.ones(shape)
        else:
            deviation = 0.02 / math.sqrt(2 * config["n_layer"]) if name.endswith("c_proj.weight") else 0.02
            value = torch.randn(shape, generator=generator) * deviation
        params[name] = torch.nn.Parameter(value)
    return params


def joined(paths):
    return np.concatenate([np.load(path).astype(np.int32) for path in paths])


def row_source(arguments):
    if arguments.rows:
        rows = np.load(arguments.rows, mmap_mode="r")
        return len(rows), lambda i: rows[i, : arguments.length + 1]
    tokens = joined(arguments.tokens)
    offsets = np.fromfile(arguments.offsets, "<u8")
    return len(offsets), lambda i: tokens[int(offsets[i]) : int(offsets[i]) + arguments.length + 1]


def rate(step, arguments, steps):
    if step < arguments.warmup:
        return arguments.learning_rate * (step + 1) / (arguments.warmup + 1)
    done = min(1.0, (step - arguments.warmup) / max(1, steps - arguments.warmup))
    left = 0.5 * (1 + math.cos(math.pi * done)) if arguments.decay == "cosine" else 1 - done
    return arguments.min_learning_rate + left * (arguments.learning_rate - arguments.min_learning_rate)


def batch_of(rows):
    block = torch.from_numpy(np.stack(rows).astype(np.int64))
    return block[:, :-1], block[:, 1:]


def say(**line):
    print(json.dumps(line), flush=True)


def validate(params, config, arguments):
    tokens = joined(arguments.val_tokens)
    total, counted = 0.0, 0
    starts = list(range(0, len(tokens) - 1, arguments.length))
    with torch.no_grad():
        for first in range(0, len(starts), arguments.batch):
            rows = [tokens[s : s + arguments.length + 1] for s in starts[first : first + arguments.batch]]
            whole = [row for row in rows if len(row) == arguments.length + 1]
            for group in [whole, *([row] for row in rows if len(row) <= arguments.length)]:
                if group:
                    inputs, targets = batch_of(group)
                    total += loss_sum(params, config, inputs, targets).item()
                    counted += targets.numel()
    return total / counted, counted


def save(folder, params, config):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"transformer.{k}" if not k.startswith("lm_head") else k: v.detach().numpy() for k, v in params.items()}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]} | config, indent=1) + "\n")


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="JSON with GPT2Config's keys, and bias: false for a model without biases")
    parser.add_argument("--tokens", nargs="+")
    parser.add_argument("--offsets")
    parser.add_argument("--rows")
    parser.add_argument("--val-tokens", nargs="+")
    parser.add_argument("--val-every", type=int, default=0)
    parser.add_argument("--batch", type=int, required=True, help="rows a step")
    parser.add_argument("--micro", type=int, help="rows a pass, gradients summed over the step; by default all")
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--steps", type=int, help="by default as many as the rows give; also the schedule's end")
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--min-learning-rate", type=float, default=6e-5)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--decay", choices=["cosine", "linear"], default="cosine")
    parser.add_argument("--beta1", type=float, default=0.9)
    parser.add_argument("--beta2", type=float, default=0.95)
    parser.add_argument("--eps", type=float, default=1e-8)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", help="Hugging Face folder to start from")
    parser.add_argument("--bf16", action="store_true", help="autocast products to bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--log-every", type=int, default=10)
    parser.add_argument("--save", help="Hugging Face folder to write at the end")
    arguments = parser.parse_args()
    if bool(arguments.rows) == bool(arguments.tokens and arguments.offsets):
        parser.error("give either --rows, or --tokens and --offsets")
    return arguments


def main():
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    config = json.loads(pathlib.Path(arguments.config).read_text())
    params = initial(config, arguments.seed, arguments.init)
    n_rows, row = row_source(arguments)
    steps = arguments.steps or n_rows // arguments.batch
    if steps * arguments.batch > n_rows:
        sys.exit(f"{steps} steps of {arguments.batch} rows need {steps * arguments.batch} rows, there are {n_rows}")
    groups = [{"params": [p for p in params.values() if p.dim() >= 2], "weight_decay": arguments.weight_decay}]
    groups.append({"params": [p for p in params.values() if p.dim() < 2], "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(arguments.beta1, arguments.beta2), eps=arguments.eps, fused=True)
    micro = arguments.micro or arguments.batch
    started = time.monotonic()
    for step in range(steps):
        learning_rate = rate(step, arguments, steps)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        loss = 0.0
        for first in range(0, arguments.batch, micro):
            indices = range(step * arguments.batch + first, step * arguments.batch + min(first + micro, arguments.batch))
            inputs, targets = batch_of([row(i) for i in indices])
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
                part = loss_sum(params, config, inputs, targets) / (arguments.batch * arguments.length)
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(params.values(), arguments.clip).item()
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)
        done = step + 1
        if done % arguments.log_every == 0 or done == steps:
            tokens_per_s = done * arguments.batch * arguments.length / (time.monotonic() - started)
            say(step=done, loss_nats=loss, learning_rate=learning_rate, norm=norm, tokens_per_s=round(tokens_per_s, 1))
        if arguments.val_tokens and (done == steps or (arguments.val_every and done % arguments.val_every == 0)):
            value, counted = validate(params, config, arguments)
            say(step=done, val_loss_nats=value, n_tokens=counted)
    if arguments.save:
        save(arguments.save, params, config)


if __name__ == "__main__":
    main()
