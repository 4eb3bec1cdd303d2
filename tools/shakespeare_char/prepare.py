"""Writes tinyshakespeare as token shards, as nanoGPT's data/shakespeare_char/prepare.py splits and numbers it.

python3 prepare.py INPUT.txt OUTPUT_FOLDER

Characters are numbered in the order of their code points (65 of them); the first nine tenths of the characters are learnt from, the rest is held out. Needs Python 3 alone.
"""

import array
import hashlib
import json
import pathlib
import sys


def npy(ids: list[int]) -> bytes:
    """A one-dimensional little-endian uint16 array in NumPy's format, version 1.0."""
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({len(ids)},), }}"
    header = header.ljust(117) + "\n"
    values = array.array("H", ids)
    if sys.byteorder == "big":
        values.byteswap()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode("ascii") + values.tobytes()


def main() -> None:
    source, folder = map(pathlib.Path, sys.argv[1:])
    text = source.read_text(encoding="utf-8")
    characters = sorted(set(text))
    number = {c: i for i, c in enumerate(characters)}
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = json.dumps(characters, ensure_ascii=True)
    (folder / "characters.json").write_text(vocabulary, encoding="utf-8")
    cut = int(len(text) * 0.9)
    shards = []
    for split, part in [("train", text[:cut]), ("validation", text[cut:])]:
        data = npy([number[c] for c in part])
        name = f"{split}.npy"
        (folder / name).write_bytes(data)
        shards.append(
            {
                "file": name,
                "split": split,
                "n_tokens": len(part),
                "n_documents": 1,
                "n_bytes": len(part.encode("utf-8")),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    manifest = {
        "format": "ovid-token-shards",
        "version": 1,
        "vocab_size": len(characters),
        "tokenizer_sha256": hashlib.sha256(vocabulary.encode("utf-8")).hexdigest(),
        "end_of_text": None,
        "shards": shards,
        "sources": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    print(f"{len(characters)} characters; {cut} to learn from, {len(text) - cut} held out")


main()
