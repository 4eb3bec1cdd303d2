"""PyTorch's counterpart of `ovid bench train`: a step of GPT-2 on random tokens (forward, backward, fused AdamW), in tokens a second.

    python torch_train.py --batch 1 --context 1024 --threads 2 --dtype f32

The allocator is kept from returning memory to the system (mallopt), which makes PyTorch 14 to 54% faster on small machines. Prints one JSON object.
"""

import argparse
import ctypes
import json
import statistics
import time

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, 1 << 30)
ctypes.CDLL("libc.so.6").mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)

import torch  # noqa: E402
import transformers  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    config = transformers.GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    model = transformers.GPT2LMHeadModel._from_config(config, attn_implementation="sdpa")
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    tokens = torch.randint(0, config.vocab_size, (options.batch, options.context + 1))
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    rates = []
    for run in range(options.repetitions + 1):
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
            logits = model(x, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)
        if run > 0:
            rates.append(x.numel() / (time.perf_counter() - began))
    print(json.dumps({
        "test": f"train{options.batch}x{options.context}",
        "dtype": options.dtype,
        "threads": options.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "per_second": {"median": statistics.median(rates), "min": min(rates), "max": max(rates)},
    }))


if __name__ == "__main__":
    main()
