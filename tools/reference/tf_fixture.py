"""Makes the TensorFlow checkpoints in crates/ovid-io/tests/fixtures/tf with TensorFlow itself (made with tensorflow-cpu 2.21.0).

    python -m venv venv-tf && venv-tf/bin/pip install tensorflow-cpu==2.21.0 && venv-tf/bin/python tools/reference/tf_fixture.py

plain/    one data file, as OpenAI's folders have it: float32, half and bfloat16 tensors, a scalar, and an int64 counter that is no weight
sharded/  the same variables on two devices: two data files
sliced/   a partitioned variable, which Ovid refuses by name
many/     40 variables of one value, so that the index shares prefixes and begins them afresh (every 16 entries)

Value i of variable v is (i + 1) * (v + 1) / 8, so that every value is exact in every type and tests need no second file.
"""

import os
import shutil
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
ROOT = Path(__file__).resolve().parents[2] / "crates/ovid-io/tests/fixtures/tf"

SHAPES = [
    ("model/wte", tf.float32, [5, 3]),
    ("model/h0/ln_1/g", tf.float32, [3]),
    ("model/h0/attn/c_attn/w", tf.float32, [1, 3, 9]),
    ("model/h0/attn/c_attn/b", tf.float16, [9]),
    ("model/h0/mlp/c_fc/w", tf.bfloat16, [1, 3, 4]),
    ("model/scalar", tf.float32, []),
]


def values(v, shape, dtype):
    n = int(np.prod(shape))
    array = (np.arange(1, n + 1, dtype=np.float32) * (v + 1) / 8).reshape(shape)
    return tf.constant(array.astype(dtype.as_numpy_dtype))


def save(name, make, **saver):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = tf.ConfigProto(device_count={"CPU": 2})
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        make()
        session.run(tf.global_variables_initializer())
        tf.train.Saver(**saver).save(session, str(folder / "model.ckpt"), write_meta_graph=False)
    # The absolute path of this machine does not belong into a fixture; OpenAI's folders name the file alone.
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"\nall_model_checkpoint_paths: "model.ckpt"\n')


def plain(devices=1):
    for v, (name, dtype, shape) in enumerate(SHAPES):
        with tf.device(f"/cpu:{v % devices}"):
            tf.Variable(values(v, shape, dtype), name=name, dtype=dtype)
    tf.Variable(np.int64(7), name="global_step")


def sliced():
    with tf.variable_scope("model", partitioner=tf.fixed_size_partitioner(2)):
        tf.get_variable("wte", shape=[4, 3], initializer=tf.ones_initializer())


def many():
    for v in range(40):
        tf.Variable(values(v, [1], tf.float32), name=f"model/a_rather_long_scope_name_that_repeats/h{v:03}/g")


save("plain", plain)
save("sharded", lambda: plain(devices=2), sharded=True)
save("sliced", sliced)
save("many", many)
