"""Holds what Ovid writes against the programs that others will load it with: transformers and llama.cpp.

Out: one line a check, exit status 1 where one fails. Not a part of the tests: it needs the programs that tools/reference/README.md builds.

    cargo build --release -p ovid-cli
    LLAMA_CPP_BIN=... LLAMA_CPP_PYTHON=... VENV/bin/python tools/reference/check_written.py target/release/ovid
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoTokenizer, GPT2LMHeadModel

from common import ids_of, small_config
from llama_greedy import Llama
from logits import logits
from quantised import dequantised, with_weights

FIXTURES = Path(__file__).resolve().parents[2] / "crates/ovid-model/tests/fixtures"
failures = []


def say(name, ok, what):
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {what}", flush=True)
    if not ok:
        failures.append(name)


def convert(ovid, source, out, dtype):
    subprocess.run([ovid, "convert", str(source), "-o", str(out), "--dtype", dtype, "--quiet"], check=True)


def transformers_logits(folder, ids, rounded_to=None, compute=torch.float32):
    model, info = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {k: list(v) for k, v in info.items() if v and k != "error_msgs"}
    with torch.no_grad():
        for value in model.parameters() if rounded_to else []:
            value.copy_(value.to(rounded_to).float())
        return model.eval().to(compute)(torch.tensor([ids.tolist()])).logits[0].double().numpy(), wrong


def check_folders(ovid, out):
    """Every fixture, through Ovid and back, in every type that a folder holds. In F32 against the fixture's own logits; in F16 and BF16 against transformers in f64
    on the F32 folder's weights, rounded by torch."""
    sources = sorted(p for p in (FIXTURES / "logits").iterdir() if p.is_dir()) + [FIXTURES / "tensorflow", FIXTURES / "gguf/untied.Q4_0.gguf"]
    for source in sources:
        if source.suffix == ".gguf":
            expected = load_file(FIXTURES / "gguf/expected.safetensors")
            pairs = [(expected[f"{source.stem}/ids"], expected[f"{source.stem}/logits"])]
        else:
            expected = load_file(source / "expected.safetensors")
            pairs = [(expected[f"ids.{i}"], expected[f"logits64.{i}"]) for i in range(9) if f"ids.{i}" in expected]
        exact = out / f"{source.name}-f32"
        for dtype, rounded_to in [("f32", None), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
            folder = out / f"{source.name}-{dtype}"
            convert(ovid, source, folder, dtype)
            worst = 0.0
            for ids, want in pairs:
                ids = ids.astype(np.int64)
                got, wrong = transformers_logits(folder, ids)
                if rounded_to:
                    want, _ = transformers_logits(exact, ids, rounded_to, torch.float64)
                worst = max(worst, float(np.abs(got - want).max()))
            say(f"transformers {folder.name}", worst < 2e-4 and not wrong, f"{worst:.1e} of logits' difference, {wrong or 'all keys'}")


TEXTS = ["Hello world, it's 2019!", "  two  spaces\n\nand lines\t", "naïve café — \U0001f600 日本語", "a" * 50]


def ovid_ids(ovid, tokenizer, text):
    command = [ovid, "tokenize", "encode", "--tokenizer", str(tokenizer), "--json"]
    return json.loads(subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout)["ids"]


def check_tokenizer(ovid, out):
    """The tokenizer files beside a written folder."""
    source = FIXTURES / "tensorflow"
    folder = out / "tokenizer"
    convert(ovid, source, folder, "f32")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        got = tokenizer.encode(text)
        want = ovid_ids(ovid, source, text)
        say("transformers' tokenizer", got == want and tokenizer.decode(got) == text, f"{len(want)} ids of {text[:20]!r}")


def llama_ids(llama, text):
    raw = text.encode()
    room = (llama.api.llama_token * (len(raw) + 8))()
    vocab = llama.api.llama_model_get_vocab(llama.model)
    n = llama.api.llama_tokenize(vocab, raw, len(raw), room, len(room), False, False)
    return list(room[:n])


def check_ggufs(ovid, out):
    """llama.cpp on what Ovid writes, in all five types, against transformers in f64 on the values that gguf-py reads from the same file. llama.cpp rounds the
    inputs of products to the weights' own kind and takes GELU from a table in half precision: hence the tolerances, about twice what it does with its own files."""
    for source in [FIXTURES / "tensorflow", FIXTURES / "gguf/tied.F32.gguf", FIXTURES / "gguf/untied.Q4_0.gguf", FIXTURES / "gguf/wide.Q4_K_M.gguf"]:
        for dtype, tolerance in [("f32", 0.02), ("f16", 0.05), ("bf16", 0.3), ("q8_0", 0.7), ("q4_0", 1.0)]:
            path = out / f"{source.stem}.{dtype}.gguf"
            convert(ovid, source, path, dtype)
            tensors = dequantised(path)
            n_embd = tensors["token_embd.weight"][1].shape[1]
            config = small_config(
                vocab_size=260,
                n_positions=tensors["position_embd.weight"][1].shape[0],
                n_embd=n_embd,
                n_layer=sum(name.endswith("attn_qkv.weight") for name in tensors),
                n_head={20: 2, 32: 2, 256: 4}[n_embd],
                n_inner=tensors["blk.0.ffn_up.weight"][1].shape[0],
                tie_word_embeddings="output.weight" not in tensors,
            )
            ids = ids_of(12, 260, 5)
            want = logits(with_weights(config, tensors), ids)
            llama = Llama(path, len(ids))
            worst = float(np.abs(llama.evaluate(ids) - want).max())
            kinds = sorted({stored for stored, _ in tensors.values()})
            say(f"llama.cpp {path.name}", worst < tolerance, f"{worst:.1e} of logits' difference, types {kinds}")
            for text in TEXTS:
                say(f"llama.cpp's tokenizer {path.name}", llama_ids(llama, text) == ovid_ids(ovid, path, text), repr(text[:20]))


def main():
    ovid = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        check_folders(ovid, out)
        check_tokenizer(ovid, out)
        check_ggufs(ovid, out)
    print(f"{len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
