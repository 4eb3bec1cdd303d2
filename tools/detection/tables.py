"""Puts the reports that measure.sh wrote into the tables of docs/detection.md: tables.py WORK."""

import json
import pathlib
import sys

WORK = pathlib.Path(sys.argv[1])
SETS = ["sim", "sim-neo", "adv", "writing-gpt2-xl", "writing-gpt-neo-2.7B", "writing-gpt-j-6B", "writing-opt-2.7b", "writing-gpt-neox-20b", "openai-unconditional", "openai-conditional"]


def words(estimate):
    return "-" if estimate is None else f"{estimate['value']:.3f} [{estimate['interval'][0]:.3f}, {estimate['interval'][1]:.3f}]"


print("| set | tokens | human (documents) | machine | AUROC | TPR at FPR 1% | curvature alone | artefacts, raw | artefacts, cleaned and cut |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for name in SETS:
    path = WORK / f"{name}.json"
    if not path.exists():
        print(f"| {name} | - | too few texts to calibrate | | | | | | |")
        continue
    report = json.loads(path.read_text())
    for row in report["by_length"]:
        n = row["gpt2_tokens"]
        find = lambda table, wanted: next((r["auroc"] for r in report[table] if r["gpt2_tokens"] == n and r["name"] == wanted), None)
        short = lambda e: "-" if e is None else f"{e['value']:.3f}"
        cells = [name, n, f"{row['n_human']} ({row['n_human_documents']})", row["n_machine"], words(row["auroc"]), words(row["tpr_at_1_percent"])]
        cells += [short(find("by_statistic", "curvature")), short(find("by_artefact", "as they came")), words(find("by_artefact", "cleaned and cut"))]
        print("| " + " | ".join(map(str, cells)) + " |")

print("\n| set, by sampler | tokens | AUROC |\n| --- | --- | --- |")
for name in ["openai-unconditional", "openai-conditional"]:
    path = WORK / f"{name}.json"
    if path.exists():
        for row in json.loads(path.read_text())["by_sampler"]:
            print(f"| {name}, {row['name']} | {row['gpt2_tokens']} | {words(row['auroc'])} |")

print("\n| set | texts | machine | human | undecided | too short |\n| --- | --- | --- | --- | --- | --- |")
for path in sorted(WORK.glob("verdicts-*.jsonl")):
    verdicts = [json.loads(line)["verdict"] for line in open(path)]
    share = [f"{100 * verdicts.count(v) / max(len(verdicts), 1):.1f}%" for v in ["machine", "human", "undecided", "too_short"]]
    print(f"| {path.stem.removeprefix('verdicts-')} | {len(verdicts)} | {' | '.join(share)} |")

for kind in ["hashed", "tfidf"]:
    path = WORK / f"matrix-{kind}.md"
    if path.exists():
        print(f"\n{kind}:\n\n{path.read_text()}")
