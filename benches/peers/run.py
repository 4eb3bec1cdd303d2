"""Ovid against its peers on this machine: the same model, the same number of threads, one after the other in turn (A B A B ...), and the ratios in docs/benchmarks.md.

    python benches/peers/run.py --work /tmp/peers --tokenizer FOLDER --text books.txt

FOLDER holds GPT-2's encoder.json and vocab.bpe, books.txt is any long English text. The first run makes a Python environment under --work with the pinned versions
below, builds llama.cpp for this processor from the source inside llama-cpp-python's sdist, and writes random-weight models; later runs find them. Nothing else should
run on the machine. Every single measurement is appended to benches/peers/results.jsonl; the page is written from those of this run.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

PINNED = ["torch==2.15.0", "transformers==5.24.0", "safetensors", "numpy", "tiktoken", "tokenizers", "cmake", "ninja"]
LLAMA_SDIST = "llama-cpp-python==0.3.36"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DTYPES = {"gpt2": ["f32", "bf16", "q8_0", "q4_0"], "gpt2-medium": ["f32", "bf16", "q8_0", "q4_0"]}


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


def prepare(work, tokenizer, ovid):
    """Environment, llama.cpp and models; whatever is there already stays."""
    python = work / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", work / "venv")
        run(python, "-m", "pip", "install", "-q", *PINNED)
    if not list(work.glob("sdist/*/vendor/llama.cpp")):
        run(python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", LLAMA_SDIST, "-d", work / "sdist")
        run("tar", "xzf", next(work.glob("sdist/*.tar.gz")), "-C", work / "sdist")
    source = next(work.glob("sdist/*/vendor/llama.cpp"))
    llama = source / "build/bin"
    if not (llama / "llama-batched-bench").exists():
        tools = work / "venv/bin"
        flags = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_SERVER=OFF"]
        run(tools / "cmake", "-B", source / "build", "-S", source, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", *flags)
        run(tools / "ninja", "-C", source / "build", "llama-bench", "llama-batched-bench")
    models = work / "models"
    for name, dtypes in DTYPES.items():
        if not (models / name / "model.safetensors").exists():
            run(python, HERE / "make_models.py", models, name, "--tokenizer", tokenizer)
        for dtype in dtypes:
            if not (models / f"{name}.{dtype}.gguf").exists():
                run(ovid, "convert", models / name, "-o", models / f"{name}.{dtype}.gguf", "--dtype", dtype)
    return python, llama, models


def ovid_bench(ovid, threads, *arguments):
    lines = run(ovid, "bench", *arguments, "--threads", threads, "--json", "-r", "1").splitlines()
    return [json.loads(line) for line in lines]


def llama_bench(llama, model, threads, flash, n_prompt, n_gen):
    out = run(llama / "llama-bench", "-m", model, "-t", threads, "-p", n_prompt, "-n", n_gen, "-r", 1, "-fa", flash, "-o", "json")
    return json.loads(out)[0]["avg_ts"]


def llama_batch(llama, model, threads, flash):
    """Tokens a second of 32 sequences at once, 128 tokens each after prompts of 128."""
    out = run(llama / "llama-batched-bench", "-m", model, "-t", threads, "-c", 8192, "-npp", 128, "-ntg", 128, "-npl", 32, "-fa", flash)
    row = [line for line in out.splitlines() if line.startswith("|") and line.split("|")[1].strip().isdigit()][-1]
    return float(row.split("|")[8])


def llama_start(llama, model, threads):
    began = time.perf_counter()
    run(llama / "llama-bench", "-m", model, "-t", threads, "-p", 0, "-n", 1, "-r", 1, "--no-warmup", "-o", "json")
    return 1 / (time.perf_counter() - began)


def best_flash(llama, model, threads):
    """llama.cpp's one setting that matters here: attention with or without flash attention."""
    return max(["0", "1"], key=lambda flash: llama_bench(llama, model, threads, flash, 512, 0))


def comparisons(options, python, llama, models):
    """(name, peer, what the number counts, Ovid's measurement, the peer's, best settings found)."""
    ovid, threads = options.ovid, options.threads
    for name in options.models:
        for dtype in DTYPES[name]:
            model = models / f"{name}.{dtype}.gguf"
            flash = best_flash(llama, model, threads)
            found = f"-fa {flash}"
            first = lambda *a, m=model: ovid_bench(ovid, threads, *a, "--model", m)[0]["per_second"]["median"]  # noqa: E731
            yield f"{name} {dtype} tg128", "llama.cpp", "tokens/s", lambda f=first: f("decode"), lambda m=model, a=flash: llama_bench(llama, m, threads, a, 0, 128), found
            yield f"{name} {dtype} pp512", "llama.cpp", "tokens/s", lambda f=first: f("prefill"), lambda m=model, a=flash: llama_bench(llama, m, threads, a, 512, 0), found
            if dtype in ("bf16", "q8_0"):
                yield f"{name} {dtype} tg128x32", "llama.cpp", "tokens/s", lambda f=first: f("batch"), lambda m=model, a=flash: llama_batch(llama, m, threads, a), found
            if (name, dtype) == ("gpt2", "q8_0"):
                yield f"{name} {dtype} start", "llama.cpp", "starts/s", lambda f=first: f("start"), lambda m=model: llama_start(llama, m, threads), "llama-bench -n 1 --no-warmup, whole process"
    if options.train:
        for batch, context in [(1, 1024), (4, 64)]:
            shape = ["--batch", batch, "--context", context]
            mine = lambda s=shape: ovid_bench(ovid, threads, "train", "--model", "gpt2", *s)[0]["per_second"]["median"]  # noqa: E731
            theirs = lambda s=shape: json.loads(run(python, HERE / "torch_train.py", *s, "--threads", threads, "--repetitions", 1))["per_second"]["median"]  # noqa: E731
            yield f"gpt2 f32 train {batch}x{context}", "PyTorch", "tokens/s", mine, theirs, "sdpa, fused AdamW, heap kept"
    if options.text:
        ours = lambda n, i: ovid_bench(ovid, n, "tokenize", "--tokenizer", models / "gpt2", "--file", options.text)[i]["per_second"]["median"] / 1e6  # noqa: E731
        peer = lambda what, n: json.loads(run(python, HERE / "tokenizers_peer.py", what, "--tokenizer", options.tokenizer, "--file", options.text, "--threads", n))["per_second"] / 1e6  # noqa: E731
        yield "encode, 1 thread", "tiktoken", "MB/s", lambda: ours(1, 0), lambda: peer("tiktoken", 1), ""
        yield f"encode, {threads} threads", "HF tokenizers", "MB/s", lambda: ours(threads, 0), lambda: peer("hf", threads), "encode_batch_fast"
        yield f"train an 8,192 vocabulary, {threads} threads", "HF tokenizers", "MB/s", lambda: ours(threads, 1), lambda: peer("hf-train", threads), ""


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    units = [u for u in ("avx512_bf16", "avx512_vnni", "avx512f", "avx2") if u in flags]
    return f"{model}, {sum(line.startswith('processor') for line in lines)} cores, {units[0] if units else 'no vector unit of those known'}"


def page(rows, options, version, commit):
    text = [
        "# Speed, beside the peers",
        "",
        f"Written by `python benches/peers/run.py` on {date.today()} at commit {commit}: {version}, {options.threads} threads on {machine()}.",
        f"{options.rounds} rounds, Ovid and peer in turn; the ratio is the median of the rounds' ratios, with the least and the greatest. The models have GPT-2's shapes and random",
        f"weights. Peers: llama.cpp as in {LLAMA_SDIST} built for this processor, {', '.join(PINNED[:2])}, tiktoken and tokenizers from PyPI.",
        "",
        "| work | peer | Ovid | peer's | ratio | peer's best settings |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        mine, theirs = statistics.median(row["ovid"]), statistics.median(row["peer_rates"])
        ratios = [a / b for a, b in zip(row["ovid"], row["peer_rates"])]
        spread = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"
        text.append(f"| {row['work']} | {row['peer']} | {mine:.4g} {row['unit']} | {theirs:.4g} | {spread} | {row['settings']} |")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--models", nargs="*", default=["gpt2"], choices=DTYPES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--ovid", type=Path, default=ROOT / "target/release/ovid")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/benchmarks.md")
    options = parser.parse_args()
    python, llama, models = prepare(options.work, options.tokenizer, options.ovid)
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    version = run(options.ovid, "--version").strip()
    rows = []
    for work, peer, unit, mine, theirs, settings in comparisons(options, python, llama, models):
        row = {"work": work, "peer": peer, "unit": unit, "settings": settings, "commit": commit, "date": str(date.today()), "machine": machine(), "ovid": [], "peer_rates": []}
        for _ in range(options.rounds):
            row["ovid"].append(mine())
            row["peer_rates"].append(theirs())
        print(work, [round(a / b, 2) for a, b in zip(row["ovid"], row["peer_rates"])], file=sys.stderr, flush=True)
        rows.append(row)
        with open(HERE / "results.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        options.page.write_text(page(rows, options, version, commit), encoding="utf-8")


if __name__ == "__main__":
    main()
