#!/bin/sh
# Every table of docs/detection.md but the built-in model's own (built_in.sh): measure.sh [WORK]. Writes WORK/*.md; MODEL names another scoring model, SECOND a second one.
set -eu
cd "$(dirname "$0")/../.."
OVID=${OVID:-target/release/ovid}
SHARED=${SHARED:-../shared/data}
WORK=${1:-$(mktemp -d)}
PYTHON=${PYTHON:-python3}
MODELS=${MODEL:+--model $MODEL}${SECOND:+ --second $SECOND}
mkdir -p "$WORK"
"$PYTHON" tools/detection/prepare.py "$SHARED/detect" "$SHARED/corpus" "$WORK/sets"
calibrate() { # NAME HUMAN MACHINE...
    name=$1; human=$2; shift 2
    # shellcheck disable=SC2086
    "$OVID" detect calibrate --human "$WORK/sets/$human.jsonl" --machine-texts $(for m in "$@"; do echo "$WORK/sets/$m.jsonl"; done) \
        --machine-name "$name" --gpt2-tokenizer "$SHARED/tokenizer" --resamples 200 $MODELS --report "$WORK/$name" > /dev/null || echo "$name: not measured"
}
for m in sim sim-neo adv; do calibrate "$m" webtext "$m"; done
for m in gpt2-xl gpt-neo-2.7B gpt-j-6B opt-2.7b gpt-neox-20b; do calibrate "writing-$m" writing-human "writing-$m"; done
calibrate openai-unconditional held-out openai-unconditional
calibrate openai-conditional openai-contexts openai-conditional
if [ -z "$MODELS" ]; then
    # What the built-in verdicts, calibrated on ovid-mini's own text, say of others' text.
    for set in webtext writing-human openai-contexts sim sim-neo adv writing-gpt2-xl writing-gpt-j-6B openai-unconditional openai-conditional; do
        head -n 600 "$WORK/sets/$set.jsonl" > "$WORK/some.jsonl"
        "$OVID" detect --json "$WORK/some.jsonl" > "$WORK/verdicts-$set.jsonl"
    done
fi
for kind in hashed tfidf; do
    "$OVID" detect matrix --kind $kind --words 40 --human "$WORK/sets/webtext.jsonl" gpt2="$WORK/sets/sim.jsonl" gpt-neo="$WORK/sets/sim-neo.jsonl" adversarial="$WORK/sets/adv.jsonl" \
        "gpt2-xl=$WORK/sets/openai-unconditional.jsonl" > "$WORK/matrix-$kind.md"
done
"$PYTHON" tools/detection/tables.py "$WORK" > "$WORK/tables.md"
cat "$WORK/tables.md"
