"""Self-BLEU by NLTK, for crates/ovid-samples/src/stats/bleu_fixtures.in.

pip install nltk==3.10.4; python tools/reference/self_bleu.py > crates/ovid-samples/src/stats/bleu_fixtures.in
"""

import json

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

GROUPS = [
    ["it was the best of times", "it was the worst of times", "it was the age of wisdom"],
    ["so it goes", "so it goes", "so it went on and on and on and on"],
    ["the cat sat on the mat the cat sat", "a dog ate the cat on the mat", "nothing in common here", "on the mat sat the cat the cat sat on the mat"],
    ["one two three four five six seven eight nine ten", "two three four five six seven", "ten nine eight seven six five four"],
    ["a", "a b", "a b c d e"],
]

print("&[")
for group in GROUPS:
    texts = [sentence.split() for sentence in group]
    smooth = SmoothingFunction().method1
    scores = [sentence_bleu(texts[:i] + texts[i + 1 :], text, smoothing_function=smooth) for i, text in enumerate(texts)]
    quoted = ", ".join(json.dumps(sentence) for sentence in group)
    print(f"    (&[{quoted}], {sum(scores) / len(scores)!r}),")
print("]")
