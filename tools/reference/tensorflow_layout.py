"""A seeded GPT-2 in the folder layout of OpenAI's release, its checkpoint written by TensorFlow, with transformers' logits.

Fixture of ovid-model, format: README.md (logits/). TensorFlow and torch need not share an environment: TF_PYTHON names a
Python with tensorflow-cpu, numpy and safetensors, which is called with this same file to write the checkpoint alone.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def write_checkpoint(weights, folder):
    """Runs under TensorFlow: safetensors of GPT-2's names to `model.ckpt` as openai/gpt-2 lies."""
    import safetensors.numpy
    import tensorflow as tf

    tf.compat.v1.disable_eager_execution()
    variables, values = {}, safetensors.numpy.load_file(weights)
    with tf.compat.v1.Session() as session:
        for name, value in values.items():
            variables[name] = tf.compat.v1.Variable(value, name=name)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        saver.save(session, str(pathlib.Path(folder) / "model.ckpt"), write_meta_graph=False)


def tensorflow_name(name):
    """transformer.h.0.attn.c_attn.weight -> model/h0/attn/c_attn/w; tables of embeddings have no last part."""
    parts = name.removeprefix("transformer.").split(".")
    if parts[0] in ("wte", "wpe"):
        return f"model/{parts[0]}"
    if parts[0] == "h":
        parts[0:2] = [f"h{parts[1]}"]
    last = {"bias": "b", "weight": "g" if parts[-2].startswith("ln_") else "w"}[parts[-1]]
    return "/".join(["model", *parts[:-1], last])


def main():
    import copy

    import numpy as np

    from common import MODEL_FIXTURES, ids_of, save, seeded_model, small_config, versions, write_json
    from logits import logits
    from quantised import MERGES, byte_characters

    folder = MODEL_FIXTURES / "tensorflow"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = small_config(vocab_size=260, n_positions=24, n_embd=20, n_layer=2, n_head=2)
    model = seeded_model(config, 21)
    tensors = {}
    for name, value in model.named_parameters():
        array = value.detach().float().numpy()
        # A product is stored as a convolution of width one.
        tensors[tensorflow_name(name)] = array[None] if tensorflow_name(name).endswith("/w") else array
    with tempfile.TemporaryDirectory() as scratch:
        weights = pathlib.Path(scratch) / "weights.safetensors"
        save(weights, tensors)
        python = os.environ.get("TF_PYTHON") or sys.exit("tensorflow_layout.py: set TF_PYTHON to a Python with tensorflow-cpu")
        subprocess.run([python, __file__, weights, folder], check=True, stderr=subprocess.DEVNULL)
    # OpenAI's names no folder of the machine that made it.
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"\nall_model_checkpoint_paths: "model.ckpt"\n')
    write_json(folder / "hparams.json", {"n_vocab": 260, "n_ctx": 24, "n_embd": 20, "n_head": 2, "n_layer": 2})
    tokens = byte_characters() + [m.replace(" ", "") for m in MERGES] + ["<|endoftext|>"]
    (folder / "encoder.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "vocab.bpe").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    expected = {}
    for i, length in enumerate([1, 9, 24]):
        ids = ids_of(length, config.vocab_size, 2100 + i)
        expected[f"ids.{i}"] = ids
        expected[f"logits32.{i}"] = logits(copy.deepcopy(model).float(), ids).astype(np.float32)
        expected[f"logits64.{i}"] = logits(model, ids).astype(np.float32)
    save(folder / "expected.safetensors", expected)
    write_json(folder / "index.json", {"made_with": versions() | {"tensorflow": "2.21.0"}, "seed": 21, "names": {k: list(v.shape) for k, v in tensors.items()}}, indent=None)
    print(sorted(p.name for p in folder.iterdir()))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write_checkpoint(*sys.argv[1:])
    else:
        main()
