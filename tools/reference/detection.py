"""Statistics of detection from logits, by their published formulas, with numpy alone.

Reads the logits of crates/ovid-model/tests/fixtures/logits (transformers in f64) and writes crates/ovid-detect/tests/fixtures/statistics.json. The second model of
Binoculars is another row of logits: those of the position before, doubled.
"""

import json
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGITS = ROOT / "crates/ovid-model/tests/fixtures/logits"


def tensors(path):
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "U32": np.uint32, "F64": np.float64}
    for name, what in header.items():
        begin, end = what["data_offsets"]
        yield name, np.frombuffer(data[8 + n + begin : 8 + n + end], kinds[what["dtype"]]).reshape(what["shape"])


def log_softmax(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def statistics(logits, second, targets):
    """Rows of logits, each before the token of `targets` in its place."""
    rows = np.arange(len(targets))
    log_p = log_softmax(logits.astype(np.float64))
    p = np.exp(log_p)
    chosen = log_p[rows, targets]
    order = np.argsort(-logits, axis=1, kind="stable")
    ranks = 1 + np.array([int(np.nonzero(order[i] == t)[0][0]) for i, t in enumerate(targets)])
    mean = (p * log_p).sum(axis=1)
    variance = (p * np.square(log_p)).sum(axis=1) - np.square(mean)
    cross = -(p * log_softmax(second.astype(np.float64))).sum(axis=1)
    return {
        "log_likelihood": chosen.mean(),
        "rank": ranks.mean(),
        "log_rank": np.log(ranks).mean(),
        "entropy": -mean.mean(),
        "lrr": -chosen.sum() / np.log(ranks).sum(),
        "top_10": (ranks <= 10).mean(),
        "top_100": (ranks <= 100).mean(),
        "top_1000": (ranks <= 1000).mean(),
        "curvature": (chosen.sum() - mean.sum()) / np.sqrt(variance.sum()),
        "binoculars": -chosen.mean() / cross.mean(),
    }


def main():
    cases = []
    for name in ["mid", "head48", "tanh-untied", "inner7-relu"]:
        stored = dict(tensors(LOGITS / name / "expected.safetensors"))
        for i in range(len([k for k in stored if k.startswith("ids.")])):
            ids, logits = stored[f"ids.{i}"], stored[f"logits64.{i}"]
            if len(ids) < 3:
                continue
            second = np.float32(2.0) * np.roll(logits, 1, axis=0)
            values = statistics(logits[:-1], second[:-1], ids[1:].astype(np.int64))
            cases.append({"logits": name, "sequence": i, "statistics": {k: float(v) for k, v in values.items()}})
    out = ROOT / "crates/ovid-detect/tests/fixtures/statistics.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"made_with": f"numpy {np.__version__}", "cases": cases}, indent=1) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
