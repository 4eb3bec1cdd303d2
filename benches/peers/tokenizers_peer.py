"""The tokenizers' counterpart of `ovid bench tokenize`: encodes a text in documents of 4 KiB, or trains a vocabulary of 8,192 on it; prints bytes a second as JSON.

    python tokenizers_peer.py tiktoken|hf|hf-train --tokenizer FOLDER --file TEXT --threads 2
"""

import argparse
import json
import os
import time
from pathlib import Path

DOCUMENT_BYTES = 4096


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tiktoken", "hf", "hf-train"])
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    data = options.file.read_bytes()
    texts = [data[i : i + DOCUMENT_BYTES].decode("utf-8", "replace") for i in range(0, len(data), DOCUMENT_BYTES)]
    vocabulary, merges = options.tokenizer / "encoder.json", options.tokenizer / "vocab.bpe"
    if options.what == "tiktoken":
        import tiktoken
        from tiktoken.load import data_gym_to_mergeable_bpe_ranks

        ranks = data_gym_to_mergeable_bpe_ranks(str(merges), str(vocabulary))
        pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
        encoding = tiktoken.Encoding("gpt2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})
        work = lambda: encoding.encode_ordinary_batch(texts, num_threads=options.threads)  # noqa: E731
    else:
        import tokenizers

        if options.what == "hf":
            encoder = tokenizers.ByteLevelBPETokenizer(str(vocabulary), str(merges))._tokenizer
            work = lambda: encoder.encode_batch_fast(texts)  # noqa: E731
        else:
            def work():
                trainer = tokenizers.trainers.BpeTrainer(
                    vocab_size=8192, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
                )
                fresh = tokenizers.Tokenizer(tokenizers.models.BPE())
                fresh.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
                fresh.train_from_iterator(texts, trainer)
    began = time.perf_counter()
    work()
    print(json.dumps({"per_second": len(data) / (time.perf_counter() - began)}))


if __name__ == "__main__":
    main()
