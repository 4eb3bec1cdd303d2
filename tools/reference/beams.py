"""Greedy texts and beam searches by transformers' `generate` on a small seeded model: fixtures of ovid-generate. Format: README.md."""

import itertools
import shutil

import torch
from transformers import GenerationConfig

from common import GENERATE_FIXTURES, ids_of, seeded_model, small_config, versions, write_json

HERE = GENERATE_FIXTURES / "beams"
SHAPE = dict(vocab_size=41, n_positions=40, n_embd=12, n_layer=2, n_head=2, tie_word_embeddings=False)
END = 6
SEED = 329


def generate(model, case):
    keys = dict(max_new_tokens=case["max_new_tokens"], do_sample=False, num_beams=case["num_beams"], eos_token_id=case["eos"], pad_token_id=0)
    if case["num_beams"] > 1:
        keys |= {k: case[k] for k in ("length_penalty", "early_stopping")} | {"num_return_sequences": case["n_return"]}
    if case.get("no_repeat_ngram"):
        keys["no_repeat_ngram_size"] = case["no_repeat_ngram"]
    if case.get("repetition_penalty"):
        keys["repetition_penalty"] = case["repetition_penalty"]
    prompt = torch.tensor([case["prompt"]])
    found = model.generate(prompt, GenerationConfig(**keys), attention_mask=torch.ones_like(prompt), return_dict_in_generate=True, output_scores=True)
    sequences = []
    for row in found.sequences[:, prompt.shape[1] :].tolist():
        if case["eos"] is not None and case["eos"] in row:
            # What follows is padding.
            row = row[: row.index(case["eos"]) + 1]
        sequences.append(row)
    result = {"sequences": sequences}
    if case["num_beams"] > 1:
        result["scores"] = [round(s, 7) for s in found.sequences_scores.tolist()]
    return result


def cases():
    prompts = [ids_of(length, SHAPE["vocab_size"], 90 + length).tolist() for length in (1, 4, 9)]
    for prompt, end in itertools.product(prompts, (None, END)):
        yield dict(prompt=prompt, num_beams=1, max_new_tokens=24, eos=end)
    yield dict(prompt=prompts[1], num_beams=1, max_new_tokens=24, eos=None, no_repeat_ngram=2, repetition_penalty=1.3)
    for prompt, penalty, early in itertools.product(prompts, (1.0, 0.0, 2.5, -0.5), (False, True, "never")):
        yield dict(prompt=prompt, num_beams=4, length_penalty=penalty, early_stopping=early, max_new_tokens=16, eos=END, n_return=4)
    for beams in (2, 3, 7):
        yield dict(prompt=prompts[1], num_beams=beams, length_penalty=1.0, early_stopping=False, max_new_tokens=20, eos=END, n_return=1)
    yield dict(prompt=prompts[2], num_beams=4, length_penalty=1.0, early_stopping=False, max_new_tokens=12, eos=None, n_return=4)
    yield dict(prompt=prompts[2], num_beams=4, length_penalty=1.0, early_stopping=False, max_new_tokens=12, eos=END, n_return=2, no_repeat_ngram=2)
    yield dict(prompt=prompts[0], num_beams=4, length_penalty=1.0, early_stopping=False, max_new_tokens=1, eos=END, n_return=4)


def mild_model(seed):
    """Mild logits and no token that is favoured everywhere, so that beams differ and end-of-text comes up before the limit."""
    model = seeded_model(small_config(**SHAPE), seed, logits_std=1.8)
    with torch.no_grad():
        model.transformer.ln_f.bias.zero_()
    return model


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    model, single = mild_model(SEED), mild_model(SEED).float()
    single.save_pretrained(HERE / "model")
    (HERE / "model" / "generation_config.json").unlink(missing_ok=True)
    made = []
    for i, case in enumerate(cases()):
        result = generate(model, case)
        assert generate(single, case)["sequences"] == result["sequences"], f"case {i} hangs on rounding: choose another seed"
        made.append({"name": f"{i}"} | case | result)
    write_json(HERE / "beams.json", {"made_with": versions(), "note": "computed in float64; float32 gives the same ids", "seed": SEED, "cases": made}, indent=None)
    path = HERE / "beams.json"
    path.write_text(path.read_text().replace('{"name"', '\n{"name"'))
    ended = sum(case["eos"] is not None and any(s[-1] == case["eos"] for s in case["sequences"]) for case in made)
    print(len(made), "cases,", ended, "with a sequence that ended;", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
