"""An independent count of n-gram overlap, for `ovid overlap table` to be held against.

No index, no hashes, no filter: the n-grams of the test sets are a set of strings, and the training text is read once and looked up in it. Standard library and
`zstandard` alone. Prints one JSON object a set, with the fields of `ovid overlap table --json` that both can know.

    python3 tools/reference/overlap.py --split train --train ../shared/data/corpus ../shared/data/eval/*

`--variant` changes one choice of the normalisation that the paper leaves open, to measure what hangs on it:
    apostrophes   an apostrophe within a word is left out, so that "don't" is one word
    ascii         only ASCII letters and digits make words
    nfkc          the text is brought to the Unicode form NFKC first
    words         only white space separates words, punctuation is deleted
"""

import argparse
import hashlib
import io
import json
import pathlib
import re
import unicodedata

import zstandard

WORD = re.compile(r"[^\W_]+")


def words(text, variant):
    if variant == "nfkc":
        text = unicodedata.normalize("NFKC", text)
    text = text.lower().replace("ς", "σ")
    if variant == "apostrophes":
        text = re.sub(r"(?<=[^\W_])['’](?=[^\W_])", "", text)
    if variant == "ascii":
        return re.findall(r"[a-z0-9]+", text)
    if variant == "words":
        return [w for w in (re.sub(r"[\W_]+", "", w) for w in text.split()) if w]
    return WORD.findall(text)


def n_grams(text, n, variant):
    found = words(text, variant)
    return [" ".join(found[i : i + n]) for i in range(len(found) - n + 1)]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


def stem(path):
    return path.name.removesuffix(".zst").rsplit(".", 1)[0]


def documents(path):
    """The documents of a file: (source, id, text)."""
    raw = open(path, "rb")
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(raw)
    if ".jsonl" not in path.name:
        yield stem(path), path.name, raw.read().decode()
        return
    # Lines end at \n alone: texts hold U+2028 and the like.
    for number, line in enumerate(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"), 1):
        if line.strip():
            record = json.loads(line)
            text = record["text"] if isinstance(record.get("text"), str) else "\n".join(strings(record))
            yield record.get("source", stem(path)), str(record.get("id", number)), text


def is_validation(source, id):
    digest = hashlib.sha256(source.encode() + b"\0" + id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % 50 == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="+", type=pathlib.Path)
    parser.add_argument("--train", required=True, type=pathlib.Path)
    parser.add_argument("--split", choices=["all", "train"], default="all")
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--variant", choices=["none", "apostrophes", "ascii", "nfkc", "words"], default="none")
    args = parser.parse_args()

    of_set = {path: [n_grams(text, args.n, args.variant) for _, _, text in documents(path)] for path in args.sets}
    wanted = {gram for texts in of_set.values() for text in texts for gram in text}
    found = set()
    for path in sorted(args.train.iterdir()):
        for source, id, text in documents(path):
            if args.split == "all" or not is_validation(source, id):
                found.update(wanted.intersection(n_grams(text, args.n, args.variant)))
    for path, texts in of_set.items():
        grams = [gram for text in texts for gram in text]
        hits = sum(gram in found for gram in grams)
        row = {"set": stem(path), "n_grams": len(grams), "distinct": len(set(grams)), "hits": hits}
        row["overlap_percent"] = hits * 100 / len(grams) if grams else None
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
