"""What transformers' logits processors make of given logits: fixtures of ovid-generate. Format: README.md.

The processors come from the private `_get_logits_processor` that `generate` itself calls, so that their order is
transformers' own. The 2019 code's top-p and OpenAI's penalties are a few lines of numpy here.
"""

import functools
import itertools

import numpy as np
import torch
from transformers import GenerationConfig, GPT2LMHeadModel

from common import GENERATE_FIXTURES, small_config, versions, write_json

VOCAB = 61
MODEL = GPT2LMHeadModel(small_config(vocab_size=VOCAB, n_positions=64, n_embd=4, n_layer=1, n_head=1)).eval()
PROMPT, GENERATED = [3, 17, 5, 9, 17, 5], [22, 9, 17, 40, 3, 17]


def all_logits():
    rng = np.random.default_rng(71)
    random = rng.standard_normal(VOCAB) * 2.5
    peaked = rng.standard_normal(VOCAB)
    peaked[29] = 19.0
    falling = -0.13 * np.arange(VOCAB)
    made = {
        "random": random,
        "ties": np.round(random),
        "peaked": peaked,
        "flat": np.zeros(VOCAB),
        "negative": rng.standard_normal(VOCAB) * 1.5 - 30.0,
        "falling": rng.permutation(falling),
        "two-equal-tops": np.where(np.isin(np.arange(VOCAB), [7, 44]), 9.0, random),
    }
    return {name: values.astype(np.float32) for name, values in made.items()}


def by_transformers(logits, prompt, generated, settings):
    """Applies the processors that `generate(do_sample=True)` would use for these settings."""
    keys = {k: settings[k] for k in ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "min_new_tokens") if k in settings}
    keys.setdefault("top_k", 0)
    if "no_repeat_ngram" in settings:
        keys["no_repeat_ngram_size"] = settings["no_repeat_ngram"]
    if "bad_words" in settings:
        keys["bad_words_ids"] = settings["bad_words"]
    if "logit_bias" in settings:
        keys["sequence_bias"] = {tuple(ids): bias for ids, bias in settings["logit_bias"]}
    if "suppress" in settings:
        keys["suppress_tokens"] = settings["suppress"]
    if "suppress_at_begin" in settings:
        keys["begin_suppress_tokens"] = settings["suppress_at_begin"]
    if "forced_eos" in settings:
        keys |= {"forced_eos_token_id": settings["forced_eos"]["ids"], "max_length": settings["forced_eos"]["max_length"]}
    # Of the two end-of-text rules below one must hold for bad words: its ids may not be end-of-text alone.
    config = GenerationConfig(do_sample=True, eos_token_id=settings.get("eos"), pad_token_id=0, **keys)
    MODEL._prepare_special_tokens(config, device="cpu")
    history = torch.tensor([prompt + generated])
    processors = MODEL._get_logits_processor(config, input_ids_seq_length=len(prompt), logits_processor=[], device="cpu")
    # A copy, since some processors write into what they are given.
    return processors(history, torch.from_numpy(logits.copy())[None])[0].numpy()


def penalised(logits, generated, settings):
    """OpenAI's formula: the count of a token among those generated, times the frequency penalty, and the presence penalty once."""
    counts = np.bincount(generated, minlength=VOCAB).astype(np.float32)
    frequency, presence = (np.float32(settings.get(k, 0.0)) for k in ("frequency_penalty", "presence_penalty"))
    return (logits - counts * frequency - (counts > 0) * presence).astype(np.float32)


def original_top_p(logits, p):
    """openai/gpt-2, August 2019: what lies below the logit at index max(#(cumulative <= p) - 1, 0) goes."""
    falling = np.sort(logits)[::-1].astype(np.float64)
    shares = np.exp(falling - falling[0])
    cumulative = np.cumsum(shares / shares.sum())
    least = falling[max(int((cumulative <= p).sum()) - 1, 0)]
    return np.where(logits < least, -np.inf, logits)


def processed(logits, prompt, generated, settings):
    if "presence_penalty" in settings or "frequency_penalty" in settings:
        logits = penalised(logits, generated, settings)
    scores = by_transformers(logits, prompt, generated, settings)
    if "original_top_p" in settings:
        scores = original_top_p(scores, settings["original_top_p"])
    return scores


def settings_alone():
    for t in (0.1, 1.5):
        yield {"temperature": t}
    for k in (1, 2, 5, 40, 61, 1000):
        yield {"top_k": k}
    for p in (0.0, 0.01, 0.3, 0.5, 0.9, 0.95, 0.999):
        yield {"top_p": p}
        yield {"original_top_p": p}
    for p in (0.02, 0.1, 0.5, 1.0):
        yield {"min_p": p}
    for p in (0.05, 0.2, 0.5, 0.9, 0.99):
        yield {"typical_p": p}


def settings_of_history():
    for penalty in (0.8, 1.2, 2.0):
        yield {"repetition_penalty": penalty}
    for n in (1, 2, 3, 4):
        yield {"no_repeat_ngram": n}
    yield {"bad_words": [[4], [17, 8], [3, 17, 12], [40, 17, 13], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 2]]}
    yield {"logit_bias": [[[1], 4.0], [[17, 2], -3.5], [[3, 17, 2], 1.25], [[5, 17, 6], 9.0], [[60], -100.0]]}
    yield {"min_new_tokens": 7, "eos": 29}
    yield {"min_new_tokens": 6, "eos": 29}
    yield {"forced_eos": {"max_length": 13, "ids": [29]}}
    yield {"forced_eos": {"max_length": 14, "ids": [29]}}
    yield {"suppress": [0, 29, 60]}
    yield {"suppress_at_begin": [0, 29, 60]}
    yield {"presence_penalty": 0.6}
    yield {"frequency_penalty": 0.75}
    yield {"presence_penalty": -1.5, "frequency_penalty": 0.5}


def settings_together():
    for t, k, p in itertools.product((0.7, 1.3), (7, 40), (0.6, 0.95)):
        yield {"temperature": t, "top_k": k, "top_p": p}
    yield {"temperature": 0.8, "top_k": 30, "top_p": 0.95, "min_p": 0.03}
    yield {"temperature": 1.2, "top_p": 0.97, "min_p": 0.01, "typical_p": 0.9}
    yield {"top_k": 20, "typical_p": 0.7}
    yield {"temperature": 0.9, "top_k": 12, "repetition_penalty": 1.3, "no_repeat_ngram": 2}
    yield {"temperature": 1.1, "top_p": 0.9, "repetition_penalty": 1.1, "logit_bias": [[[17], 3.0], [[17, 22], 5.0]], "bad_words": [[44], [17, 7]]}
    yield {"repetition_penalty": 1.5, "logit_bias": [[[17], -2.0], [[22], 6.0]]}
    yield {"temperature": 0.7, "top_k": 5, "min_new_tokens": 9, "eos": 29, "suppress": [7]}
    yield {"temperature": 0.7, "original_top_p": 0.8}
    yield {"temperature": 1.0, "top_k": 15, "original_top_p": 0.9}
    yield {"temperature": 0.8, "top_p": 0.9, "frequency_penalty": 0.4, "presence_penalty": 0.2}


def cases():
    logits = all_logits()
    wanted = [(name, settings, PROMPT, GENERATED) for name in logits for settings in settings_alone()]
    wanted += [(name, s, PROMPT, GENERATED) for name in ("random", "ties", "negative", "peaked") for s in settings_of_history()]
    wanted += [("random", s, PROMPT, []) for s in settings_of_history() if "forced_eos" not in s]
    wanted += [("random", s, [8], []) for s in settings_of_history() if "forced_eos" not in s]
    wanted += [(name, s, PROMPT, GENERATED) for name in ("random", "ties", "flat", "peaked") for s in settings_together()]
    for i, (name, settings, prompt, generated) in enumerate(wanted):
        scores = processed(logits[name], prompt, generated, settings).astype(np.float64)
        kept = np.flatnonzero(scores > -np.inf)
        shares = np.exp(scores[kept] - scores.max())
        label = ",".join(f"{k}={v}" if isinstance(v, (int, float)) else k for k, v in settings.items())
        yield {
            "name": f"{i}:{name}:{label}",
            "logits": name,
            "prompt": prompt,
            "generated": generated,
            "settings": settings,
            "kept": kept.tolist(),
            "probs": [float(f"{x:.8g}") for x in shares / shares.sum()],
        }


def with_stable_sort():
    """torch.sort promises no order among equals and on AVX-512 gives none, so transformers' kept set at a tie under top-p or
    typical-p hangs on the processor. With a stable sort it is defined: equal logits go in rising id. Nothing else is changed."""
    torch.sort = functools.partial(torch.sort, stable=True)


def main():
    unstable = list(cases())
    with_stable_sort()
    made = list(cases())
    for case, other in zip(made, unstable):
        case["torch_sort_differs"] = case["kept"] != other["kept"]
        assert sorted(case["probs"]) == sorted(other["probs"]), "an unstable sort may choose among equals only"
    path = GENERATE_FIXTURES / "samplers.json"
    head = {"made_with": versions(), "vocab": VOCAB, "logits": {k: [float(str(x)) for x in v] for k, v in all_logits().items()}}
    for name, values in all_logits().items():
        assert np.array_equal(np.array(head["logits"][name], np.float64).astype(np.float32), values)
    write_json(path, head | {"cases": made}, indent=None)
    # One case a line: readable in a diff.
    path.write_text(path.read_text().replace('{"name"', '\n{"name"'))
    print(len(made), "cases", path.stat().st_size, "bytes; fewest kept", min(len(c["kept"]) for c in made), "; differing without stable sort:", [c["name"] for c in made if c["torch_sort_differs"]])


if __name__ == "__main__":
    main()
