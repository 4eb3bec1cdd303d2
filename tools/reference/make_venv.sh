#!/bin/sh
# Makes the Python environment of the reference scripts: sh tools/reference/make_venv.sh DIR
# 4.6 GB on disk, because PyPI has torch for Linux x86-64 as the CUDA build alone.
set -eu
dir=${1:?usage: make_venv.sh DIR}
here=$(dirname "$0")
python3.11 -m venv "$dir"
pip="$dir/bin/pip"
"$pip" install -q --no-deps torch==2.15.0
"$pip" install -q filelock 'typing-extensions>=4.13' 'setuptools>=77' sympy networkx jinja2 fsspec
# torch._C links against these even where no GPU exists; triton and cuda-bindings are not needed.
"$pip" install -q --no-cache-dir \
    'cuda-toolkit[cublas,cudart,cufft,cufile,cupti,cusparse,nvjitlink,nvrtc]==13.2.2' \
    nvidia-cudnn-cu13==9.26.0.51 nvidia-cusparselt-cu13==0.8.1 nvidia-nccl-cu13==2.30.7 nvidia-nvshmem-cu13==3.7.2
grep -v -e '^#' -e '^torch==' "$here/requirements.txt" | "$pip" install -q -r /dev/stdin
"$dir/bin/python" -c 'import torch, transformers; print(torch.__version__, transformers.__version__)'
