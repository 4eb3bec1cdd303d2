"""What the fixture scripts share: paths, seeded weights, versions, small models."""

import json
import pathlib
import sys

import numpy as np
import safetensors
import safetensors.numpy
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MODEL_FIXTURES = REPOSITORY / "crates/ovid-model/tests/fixtures"
GENERATE_FIXTURES = REPOSITORY / "crates/ovid-generate/tests/fixtures"
TRAIN_FIXTURES = REPOSITORY / "crates/ovid-train/tests/fixtures"
NOT_COUNTED = 2**32 - 1

torch.set_num_threads(1)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def versions():
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }


def write_json(path, value, indent=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent, sort_keys=False) + "\n")


def save(path, tensors, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, metadata)


def loud_weights(name, shape, rng, attention=1.6, head=1.0):
    """Weights under which every mistake shows: biases not zero, gains far from 1 (some negative), peaked attention.

    Products keep the scale of what they read, so that f32 stays within some 1e-5 of f64 whatever the depth.
    """
    normal = rng.standard_normal(shape)
    if name.endswith(("wte.weight", "lm_head.weight")):
        return head * normal
    if name.endswith("wpe.weight"):
        return 0.7 * normal
    if "ln_" in name and name.endswith("weight"):
        return np.exp(rng.uniform(-0.9, 0.9, shape)) * np.where(rng.random(shape) < 0.15, -1.0, 1.0)
    if name.endswith("bias"):
        return 0.5 * normal
    scale = attention if "c_attn" in name else 0.9
    return scale / np.sqrt(shape[0]) * normal


def seeded_model(config, seed, attention=1.6, logits_std=4.0):
    """A GPT2LMHeadModel in f64 whose values are exact in f32, its logits near `logits_std` in deviation."""
    rng = np.random.default_rng(seed)
    model = GPT2LMHeadModel(config).double().eval()
    head = logits_std / np.sqrt(config.n_embd) / 1.2
    with torch.no_grad():
        for name, value in model.named_parameters():
            drawn = loud_weights(name, tuple(value.shape), rng, attention, head).astype(np.float32)
            value.copy_(torch.from_numpy(drawn.astype(np.float64)))
    return model


def small_config(**keys):
    defaults = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
    return GPT2Config(**{**defaults, **keys})


def ids_of(length, vocab, seed):
    """Token ids with repeats near and far, so that attention has something to prefer."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, vocab, length)
    if length > 4:
        ids[length // 2] = ids[0]
        ids[-1] = ids[1]
    return ids.astype(np.uint32)


def batch_of(ids):
    return torch.from_numpy(ids.astype(np.int64))[None]
