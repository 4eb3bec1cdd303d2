#!/bin/sh
# Makes the calibration of the built-in model again, and its report: crates/ovid-detect/data/ovid-mini.calibration.json, docs/detection-ovid-mini.{json,csv,md,svg}.
# Wants ../shared/data and a release binary with the model in question built in; takes a few minutes. Afterwards build once more, since the calibration lies in the program.
set -eu
cd "$(dirname "$0")/../.."
OVID=${OVID:-target/release/ovid}
WORK=${WORK:-$(mktemp -d)}
SHARED=${SHARED:-../shared/data}
"$OVID" detect pairs "$SHARED/corpus" --split held-out --per-source 400 --out "$WORK/pairs"
"$OVID" detect calibrate --human "$WORK/pairs/human.jsonl" --machine-texts "$WORK/pairs/machine.jsonl" --gpt2-tokenizer "$SHARED/tokenizer" \
    --human-name "held-out documents of ovid-mini's corpus" --resamples 200 --out "$WORK/calibration.json" --report "$WORK/detection-ovid-mini" > /dev/null
cp "$WORK/calibration.json" crates/ovid-detect/data/ovid-mini.calibration.json
for extension in json csv md svg; do cp "$WORK/detection-ovid-mini.$extension" "docs/detection-ovid-mini.$extension"; done
ls -l crates/ovid-detect/data/ovid-mini.calibration.json
