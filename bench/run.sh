#!/usr/bin/env bash
# Measures a build: starts `xcloud serve`, loads it with `xcloud bench`, then runs the
# micro-benchmarks. Builds nothing. About four minutes.
#   bench/run.sh [BUILD_FOLDER]          default build/release
# Per service: 8 clients in closed loop find the capacity; then Poisson arrivals at 0.2, 0.5, 0.8
# and 1.0 of it. Two runs each. The whole text is in bench/results/latest.txt, each part as JSON
# beside it. Exit code: 0 = all valid; 1 = a part failed, or a run was INVALID (it says why).
# Environment: BENCH_SECONDS per run (6), BENCH_IMAGES photo file or folder (a made photo),
# BENCH_ONLY one service name.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
seconds=${BENCH_SECONDS:-6}
results=bench/results
xcloud=$build/xcloud
work=$(mktemp -d)
server=
worst=0
# The generator's share is a few per cent; going first keeps its timers true on a busy machine.
first=()
if nice -n -10 true 2>/dev/null && [[ $(nice -n -10 nice 2>/dev/null) -lt 0 ]]; then
  first=(nice -n -10)
fi

stop_server() {
  [[ -n $server ]] || return 0
  kill -TERM "$server" 2>/dev/null || true
  for _ in $(seq 100); do  # its own drain is bounded; this is for a server that hangs
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap 'stop_server; rm -rf "$work"' EXIT

say() { printf "%s\n" "$@" | tee -a "$results/latest.txt"; }

start_server() {  # REPOSITORY; sets server and address
  "$xcloud" serve --set server.port=0 --set "repository.path=$1" --set log.level=warn \
    --set "storage.url=sqlite:$work/calls.db" >"$work/out" 2>"$work/err" &
  server=$!
  for _ in $(seq 600); do
    address=$(sed -n 's|^listening on \(http://[^ ]*\).*|\1|p' "$work/out" | head -n 1)
    [[ -z $address ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  say "the server did not start on $1:"
  tee -a "$results/latest.txt" <"$work/err"
  stop_server
  return 1
}

load() {  # NAME ARGUMENTS...: one `xcloud bench`, remembers the worst exit code
  local name=$1
  shift
  local images=()
  [[ -z ${BENCH_IMAGES:-} ]] || images=(--image "$BENCH_IMAGES")
  rm -f "$results/latest-$name.json"
  local code=0
  "${first[@]}" timeout 180 "$xcloud" bench --server-pid "$server" --duration-s "$seconds" --warmup-s 1 \
    --timeout-ms 5000 --repeat 2 --json "$results/latest-$name.json" "${images[@]}" "$@" \
    > >(tee -a "$results/latest.txt") || code=$?
  ((code == 0)) || worst=1
  return 0
}

measure() {  # SERVICE SLO_MS
  local url=$address/cv/$1
  say "" "== $1: closed loop =="
  load "$1-closed" --url "$url" --slo-ms "$2" --mode closed --clients 8
  local rates
  rates=$(awk -F': ' '/"achieved_per_s"/ { sum += $2; n++ }
    END { for (i = 1; n && sum > 0 && i <= 4; i++) {
      split("0.2 0.5 0.8 1.0", share, " "); printf "--rate %.2f ", share[i] * sum / n } }' \
    "$results/latest-$1-closed.json" 2>/dev/null || true)
  if [[ -z $rates ]]; then
    say "$1 answered nothing in closed loop: no sweep"
    worst=1
    return 0
  fi
  say "" "== $1: Poisson sweep at 0.2, 0.5, 0.8 and 1.0 of its closed-loop capacity =="
  # shellcheck disable=SC2086  # words are wanted
  load "$1-poisson" --url "$url" --slo-ms "$2" --mode poisson $rates
}

service() {  # REPOSITORY SLO_MS NAMES...
  local repository=$1 slo=$2
  shift 2
  local wanted=()
  for name in "$@"; do
    [[ -z ${BENCH_ONLY:-} || $BENCH_ONLY == "$name" ]] && wanted+=("$name")
  done
  ((${#wanted[@]})) || return 0
  start_server "$repository" || { worst=1; return 0; }
  for name in "${wanted[@]}"; do measure "$name" "$slo"; done
  stop_server
}

[[ -x $xcloud ]] || { echo "no $xcloud: run make build first" >&2; exit 2; }
mkdir -p "$results"
: >"$results/latest.txt"
say "revision  $(git describe --always --dirty 2>/dev/null || echo unknown)"
service configs/models 250 imagenet
service bench/models 50 null null5
if [[ -x $build/xcloud_micro && -z ${BENCH_ONLY:-} ]]; then
  say "" "== micro-benchmarks =="
  "$build/xcloud_micro" --benchmark_min_time=0.1 --benchmark_out_format=json \
    --benchmark_out="$results/latest-micro.json" 2>&1 | tee -a "$results/latest.txt" || worst=1
fi
say "" "results: $results/latest.txt and latest-*.json"
if grep -q INVALID "$results/latest.txt"; then say "some runs are INVALID: see why above"; fi
exit "$worst"
