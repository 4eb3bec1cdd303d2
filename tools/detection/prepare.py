"""Brings ../shared/data/detect to JSON Lines with `text`, `id` (what must not be on both sides of a split), `domain` and `sampler`: prepare.py DETECT CORPUS OUT.

Prompts are cut off both sides: the writing pairs share their beginning, and the conditional samples of OpenAI lie beside their contexts. Needs `zstdcat`.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

DETECT, CORPUS, OUT = map(pathlib.Path, sys.argv[1:4])
OUT.mkdir(parents=True, exist_ok=True)


def read(path):
    return subprocess.run(["zstdcat", path], stdout=subprocess.PIPE, check=True).stdout.decode()


def lines(name, folder=DETECT):
    return [json.loads(line) for line in read(folder / name).split("\n") if line]


def write(name, rows):
    with open(OUT / f"{name}.jsonl", "w") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def key(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def held_out(source, identity):
    digest = hashlib.sha256(source.encode() + b"\0" + str(identity).encode()).digest()
    return int.from_bytes(digest[:8], "big") % 50 == 0


def common_prefix(a, b):
    """Words that both begin with."""
    a, b = a.split(), b.split()
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return " ".join(a[n:]), " ".join(b[n:])


# The five writing sets share their human originals: each original once, under its own key.
originals = {}
for model in ["gpt2-xl", "gpt-neo-2.7B", "gpt-j-6B", "opt-2.7b", "gpt-neox-20b"]:
    pairs = json.loads(read(DETECT / f"writing_{model}.raw_data.json.zst"))
    rows = []
    for original, sampled in zip(pairs["original"], pairs["sampled"]):
        human, machine = common_prefix(original, sampled)
        group = key(original[:60])
        originals.setdefault(group, {"text": human, "id": group, "domain": "writing prompts", "sampler": "human"})
        rows.append({"text": machine, "id": group, "domain": "writing prompts", "sampler": model})
    write(f"writing-{model}", rows)
write("writing-human", originals.values())

openai = lines("openai_gpt2_1542M.jsonl.zst")
contexts = {}
for kind in ["conditional", "unconditional"]:
    rows = []
    for row in openai:
        if not row["set"].startswith(kind):
            continue
        text, context = row["text"], row["context"]
        group = key(context) if context else f"unconditional {row['i']}"
        if context:
            text = text.removeprefix(context)
            contexts[group] = {"text": context, "id": group, "domain": "WebText", "sampler": "human"}
        sampler = {"": "temperature 1", "-t07": "temperature 0.7", "-topk40": "top-k 40"}[row["set"].removeprefix(kind)]
        rows.append({"text": text, "id": group, "domain": "WebText", "sampler": sampler})
    write(f"openai-{kind}", rows)
write("openai-contexts", contexts.values())

for name in ["sim", "sim-neo", "adv"]:
    rows = [row["text"] for part in ["train", "valid"] for row in lines(f"{name}.{part}.jsonl.zst")]
    write(name, [{"text": text, "id": f"{name} {i}", "domain": "WebText", "sampler": name} for i, text in enumerate(rows[:4724])])
write("webtext", [{"text": r["text"], "id": f"webtext {i}", "domain": "WebText", "sampler": "human"} for i, r in enumerate(lines("webtext.valid.jsonl.zst"))])

# Human text longer than the sets above have: the corpus's held-out web and encyclopaedia documents.
rows = []
for name in ["us_gov_web", "wikipedia_2014", "wikipedia_2021", "ud_ewt", "gum"]:
    for row in lines(f"{name}.jsonl.zst", CORPUS):
        if held_out(row["source"], row["id"]):
            rows.append({"text": row["text"], "id": f"{row['source']} {row['id']}", "domain": row["source"], "sampler": "human"})
write("held-out", rows)
for path in sorted(OUT.glob("*.jsonl")):
    print(path.name, sum(1 for _ in open(path)), os.path.getsize(path))
