"""The loss of a nanoGPT checkpoint over a whole split, in rows of its context one after the other, as `ovid train` validates.

PYTHONPATH=NANOGPT_FOLDER python3 whole_split.py CKPT.pt VAL.bin
"""

import sys

import numpy as np
import torch
from model import GPT, GPTConfig


def main() -> None:
    checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
    model = GPT(GPTConfig(**checkpoint["model_args"]))
    model.load_state_dict(checkpoint["model"])
    model.eval()
    tokens = torch.from_numpy(np.fromfile(sys.argv[2], dtype=np.uint16).astype(np.int64))
    context = checkpoint["model_args"]["block_size"]
    n_rows = (len(tokens) - 1) // context
    end = n_rows * context
    inputs, targets = tokens[:end].view(n_rows, context), tokens[1 : end + 1].view(n_rows, context)
    batches = [(inputs[i : i + 256], targets[i : i + 256]) for i in range(0, n_rows, 256)]
    if end < len(tokens) - 1:
        batches.append((tokens[end:-1][None], tokens[end + 1 :][None]))
    nats, n_scored = 0.0, 0
    with torch.no_grad():
        for x, y in batches:
            nats += model(x, y)[1].item() * y.numel()
            n_scored += y.numel()
    print(f"after {checkpoint['iter_num']} steps: {nats / n_scored:.4f} over {n_scored} characters")


main()
