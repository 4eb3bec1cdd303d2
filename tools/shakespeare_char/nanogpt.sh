#!/bin/sh
# nanoGPT itself on the same configuration, scored as Ovid scores: the baseline of run.sh.
#   tools/shakespeare_char/nanogpt.sh NANOGPT_FOLDER TINYSHAKESPEARE.txt [PYTHON]
# NANOGPT_FOLDER is a clone of github.com/karpathy/nanoGPT; PYTHON has torch and numpy (tools/reference/make_venv.sh makes one). Prints seconds from start to end,
# nanoGPT's own estimates, and the loss over the whole held-out tenth. The command is that of nanoGPT's README ("I only have a macbook"), but for the checkpoint, which is
# always written.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
cp "$2" data/shakespeare_char/input.txt
python=${3:-python3}
# Its prepare.py downloads the text where it is absent, and asks for a library for that.
sed 's/^import requests//' data/shakespeare_char/prepare.py > data/shakespeare_char/prepare_offline.py
"$python" data/shakespeare_char/prepare_offline.py > /dev/null
began=$(date +%s)
OMP_NUM_THREADS=2 "$python" train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=100 --block_size=64 --batch_size=12 \
    --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0 --always_save_checkpoint=True --out_dir=out-baseline > baseline.log
echo "$(($(date +%s) - began)) s"
grep "^step" baseline.log | tail -n 1
PYTHONPATH=. "$python" "$here/whole_split.py" out-baseline/ckpt.pt data/shakespeare_char/val.bin
