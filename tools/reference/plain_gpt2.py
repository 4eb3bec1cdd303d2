"""GPT-2 in a few lines of torch over a dictionary of tensors, for gradients and training without transformers.

Parameter names and orientation ([in, out]) are Hugging Face's. Without biases (nanoGPT's bias=False) the products
and the layer norms have gains alone.
"""

import math

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


def shapes(config):
    """Names and shapes in Hugging Face's order; `config` is a dictionary with GPT2Config's keys and `bias`."""
    embd, bias = config["n_embd"], config.get("bias", True)
    inner = config.get("n_inner") or 4 * embd
    found = {"wte.weight": (config["vocab_size"], embd), "wpe.weight": (config["n_positions"], embd)}

    def norm(name):
        found[f"{name}.weight"] = (embd,)
        if bias:
            found[f"{name}.bias"] = (embd,)

    def product(name, n_in, n_out):
        found[f"{name}.weight"] = (n_in, n_out)
        if bias:
            found[f"{name}.bias"] = (n_out,)

    for layer in range(config["n_layer"]):
        norm(f"h.{layer}.ln_1")
        product(f"h.{layer}.attn.c_attn", embd, 3 * embd)
        product(f"h.{layer}.attn.c_proj", embd, embd)
        norm(f"h.{layer}.ln_2")
        product(f"h.{layer}.mlp.c_fc", embd, inner)
        product(f"h.{layer}.mlp.c_proj", inner, embd)
    norm("ln_f")
    if not config.get("tie_word_embeddings", True):
        found["lm_head.weight"] = (config["vocab_size"], embd)
    return found


def logits(params, config, tokens):
    """tokens (B, T) -> logits (B, T, vocab)."""
    embd, heads = config["n_embd"], config["n_head"]
    epsilon = config.get("layer_norm_epsilon", 1e-5)
    activation = ACTIVATIONS[config.get("activation_function", "gelu_new")]

    def norm(x, name):
        return F.layer_norm(x, (embd,), params[f"{name}.weight"], params.get(f"{name}.bias"), epsilon)

    def product(x, name):
        y = x @ params[f"{name}.weight"]
        return y + params[f"{name}.bias"] if f"{name}.bias" in params else y

    length = tokens.shape[1]
    x = params["wte.weight"][tokens] + params["wpe.weight"][:length]
    for layer in range(config["n_layer"]):
        h = f"h.{layer}"
        q, k, v = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in product(norm(x, f"{h}.ln_1"), f"{h}.attn.c_attn").split(embd, -1)
        )
        scale = 1 / math.sqrt(embd // heads)
        if config.get("scale_attn_by_inverse_layer_idx"):
            scale /= layer + 1
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        x = x + product(mixed.transpose(1, 2).flatten(2), f"{h}.attn.c_proj")
        x = x + product(activation(product(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc")), f"{h}.mlp.c_proj")
    return norm(x, "ln_f") @ params.get("lm_head.weight", params["wte.weight"]).T


def loss_sum(params, config, tokens, targets):
    """Sum of nats over targets that are not negative."""
    values = logits(params, config, tokens)
    return F.cross_entropy(values.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum")
