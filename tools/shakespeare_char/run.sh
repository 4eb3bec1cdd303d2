#!/bin/sh
# nanoGPT's CPU configuration for tinyshakespeare at character level, five seeds, whole-split validation.
#   tools/shakespeare_char/run.sh TINYSHAKESPEARE.txt OUTPUT_FOLDER [SEEDS]
# Prints, for each seed, seconds from start to end (validation and files included) and the last validation loss, then the median loss.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
text=$1
out=$2
seeds=${3:-"1 2 3 4 5"}
python3 "$here/prepare.py" "$text" "$out/data"
cd "$here/../.."
cargo build --release -p ovid-cli
ovid=${CARGO_TARGET_DIR:-target}/release/ovid
for seed in $seeds; do
    rm -rf "$out/seed-$seed"
    began=$(date +%s.%N)
    "$ovid" train --config "$here/config.toml" --data "$out/data" --out "$out/seed-$seed" --seed "$seed" --threads 2 --quiet
    ended=$(date +%s.%N)
    python3 - "$out/seed-$seed" "$seed" "$began" "$ended" <<'PYTHON'
import json, sys
run, seed, began, ended = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
rows = [json.loads(line) for line in open(run + "/metrics.jsonl")]
last = [row for row in rows if row["kind"] == "validation"][-1]
print(f"seed {seed}: {ended - began:.1f} s, validation loss {last['loss_nats']:.4f} over {last['n_scored']} characters")
PYTHON
done
python3 - "$out" $seeds <<'PYTHON'
import json, statistics, sys
out, seeds = sys.argv[1], sys.argv[2:]
losses = []
for seed in seeds:
    rows = [json.loads(line) for line in open(f"{out}/seed-{seed}/metrics.jsonl")]
    losses.append([row for row in rows if row["kind"] == "validation"][-1]["loss_nats"])
print(f"median of {len(losses)} seeds: {statistics.median(losses):.4f} (from {min(losses):.4f} to {max(losses):.4f})")
PYTHON
