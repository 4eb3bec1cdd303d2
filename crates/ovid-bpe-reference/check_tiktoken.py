"""Compares ovid-bpe with Python's tiktoken and tokenizers, document by document.

    pip install tiktoken==0.14.0 tokenizers==0.23.3 zstandard==0.25.0
    cargo build --release -p ovid-bpe --example ids
    python crates/ovid-bpe-reference/check_tiktoken.py [every] [FILE.jsonl.zst ...]

The vocabulary is read from ../shared/data/tokenizer: nothing is fetched. `every` (40 if absent) takes every so many-th document.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tiktoken
import tokenizers
import zstandard
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def documents(path):
    with zstandard.open(path, "rb") as file:
        for line in io.BufferedReader(file):
            yield json.loads(line)["text"]


def main():
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    files = [Path(f) for f in sys.argv[2:]] or sorted((DATA / "corpus").glob("*.jsonl.zst"))
    vocab, merges = DATA / "tokenizer" / "encoder.json", DATA / "tokenizer" / "vocab.bpe"
    ranks = data_gym_to_mergeable_bpe_ranks(str(merges), str(vocab))
    reference = tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})
    # Hugging Face's wheel splits with Oniguruma, the Rust crate in our tests with fancy-regex.
    hugging_face = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(str(vocab), str(merges)))
    hugging_face.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    ids = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples" / "ids"
    n_documents = n_tokens = 0
    for path in files:
        texts = [text for i, text in enumerate(documents(path)) if i % every == 0]
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "sample.jsonl"
            sample.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
            lines = subprocess.run([ids, DATA / "tokenizer", sample], check=True, capture_output=True, text=True).stdout.split("\n")
        for text, line in zip(texts, lines, strict=False):
            ours = [int(i) for i in line.split()]
            for name, theirs in [("tiktoken", reference.encode_ordinary(text)), ("tokenizers", hugging_face.encode(text).ids)]:
                if ours != theirs:
                    at = next(i for i, (a, b) in enumerate(zip(ours + [-1], theirs + [-1])) if a != b)
                    sys.exit(f"{path.name}: differs from {name} at token {at}: {ours[at - 2 : at + 4]} {theirs[at - 2 : at + 4]}: {text[:60]!r}")
            n_documents += 1
            n_tokens += len(ours)
        print(f"{path.name}: {len(texts)} documents agree", flush=True)
    print(f"{n_documents} documents, {n_tokens} tokens: no difference")


if __name__ == "__main__":
    main()
