"""What llama.cpp chooses greedily from a GGUF, with the gap between its two best logits at each step, as JSON.

    python llama_greedy.py MODEL.gguf --ids 3,17,5 [--steps 200] [--threads 1] > greedy.json

Keys and values stay in F32 and flash attention is off, so that an F32 model is computed in F32 but for llama.cpp's
GELU, which is a table in half precision. llama-cpp-python is taken as installed, or, where LLAMA_CPP_PYTHON names the
`llama_cpp` folder of its source and LLAMA_CPP_BIN the folder of a built libllama.so, from there (README).
"""

import argparse
import ctypes
import importlib
import json
import os
import sys
import types

import numpy as np


def bindings():
    """llama-cpp-python's low-level module without the rest of the package, which needs more dependencies."""
    folder = os.environ.get("LLAMA_CPP_PYTHON")
    if folder:
        if "LLAMA_CPP_BIN" in os.environ:
            os.environ["LLAMA_CPP_LIB_PATH"] = os.environ["LLAMA_CPP_BIN"]
        package = types.ModuleType("llama_cpp")
        package.__path__ = [folder]
        sys.modules["llama_cpp"] = package
    return importlib.import_module("llama_cpp.llama_cpp")


class Llama:
    """One model with one context of `length` positions."""

    def __init__(self, path, length, threads=1):
        self.api = api = bindings()
        self._quiet = api.llama_log_callback(lambda _level, _text, _data: None)
        api.llama_log_set(self._quiet, ctypes.c_void_p(0))
        api.llama_backend_init()
        model_params = api.llama_model_default_params()
        # Repacked weights are multiplied by other kernels; the plain ones are the reference.
        model_params.use_extra_bufts = False
        self.model = api.llama_model_load_from_file(str(path).encode(), model_params)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {path}")
        self.vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        if length > api.llama_model_n_ctx_train(self.model):
            raise SystemExit(f"{path} has {api.llama_model_n_ctx_train(self.model)} positions, fewer than the {length} asked for")
        params = api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = length
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = 0  # GGML_TYPE_F32
        params.flash_attn_type = 0  # disabled
        self.context = api.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit(f"llama.cpp makes no context of {length} positions for {path}")
        self.length = 0

    def evaluate(self, ids):
        """Continues the sequence; logits of every given token, (len(ids), vocab)."""
        batch = self.api.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = int(token)
            batch.pos[i] = self.length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        status = self.api.llama_decode(self.context, batch)
        if status != 0:
            raise SystemExit(f"llama_decode returned {status}")
        rows = [np.ctypeslib.as_array(self.api.llama_get_logits_ith(self.context, i), (self.vocab,)).copy() for i in range(len(ids))]
        self.api.llama_batch_free(batch)
        self.length += len(ids)
        return np.stack(rows)


def greedy(path, prompt, steps, threads):
    llama = Llama(path, len(prompt) + steps - 1, threads)
    row = llama.evaluate(prompt)[-1]
    tokens, runners_up, gaps = [], [], []
    for step in range(steps):
        first, second = np.argsort(-row, kind="stable")[:2]
        tokens.append(int(first))
        runners_up.append(int(second))
        gaps.append(float(row[first] - row[second]))
        if step + 1 < steps:
            row = llama.evaluate([first])[-1]
    return {"model": str(path), "prompt_ids": prompt, "tokens": tokens, "second": runners_up, "gap": gaps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--ids", required=True, help="prompt ids, separated by commas")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    ids = [int(x) for x in arguments.ids.split(",")]
    json.dump(greedy(arguments.model, ids, arguments.steps, arguments.threads), sys.stdout)
    print()


if __name__ == "__main__":
    main()
