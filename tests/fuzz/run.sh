#!/usr/bin/env bash
# Builds the libFuzzer targets and runs them, two at a time:
#   tests/fuzz/run.sh replay                     every seed and every crash found so far, once
#   tests/fuzz/run.sh short                      that, then 20,000 runs a target from seed 1 (CI)
#   tests/fuzz/run.sh long SECONDS [TARGET...]   SECONDS a target, all targets unless named
# FUZZ_BUILD (build/fuzz) takes the programs, grown corpora, logs and artifacts; FUZZ_JOBS (2).
# Fails, and says where the input lies, when a target crashed, hung, leaked or ran out of memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/fuzz
build=${FUZZ_BUILD:-build/fuzz}
jobs=${FUZZ_JOBS:-2}
mode=${1:-}
seconds=${2:-}
case $mode in
  replay | short) targets=() ;;
  long) [[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "run.sh long SECONDS [TARGET...]" >&2; exit 2; }
    targets=("${@:3}") ;;
  *) sed -n '2,6s/^# \?//p' "$0" >&2; exit 2 ;;
esac
if ((${#targets[@]} == 0)); then
  for source in "$here"/*_fuzz.cpp; do targets+=("$(basename "$source" _fuzz.cpp)"); done
fi

cmake --preset fuzz -B "$build" >/dev/null
cmake --build "$build" --target "${targets[@]/#/fuzz_}"
mkdir -p "$build/logs"
export here build mode seconds
# The first finding of the undefined-behaviour sanitizer says where it came from, too.
export UBSAN_OPTIONS=print_stacktrace=1

# Each with the target's name; output goes to its log, the outcome is the exit status.
replay() {
  local inputs
  mapfile -d '' inputs < <(find "$here/corpus/$1" "$build/artifacts/$1" -type f -print0)
  ((${#inputs[@]} > 0)) || { echo "no seeds in $here/corpus/$1"; return 1; }
  # As files, not as a folder: run to the last byte each, however long.
  "$build/fuzz_$1" -timeout=10 -rss_limit_mb=2048 "${inputs[@]}"
}
fuzz() {  # NAME, folder for what is new, options...
  local words=()
  [[ -f $here/$1.dict ]] && words=("-dict=$here/$1.dict")
  "$build/fuzz_$1" "${@:3}" "${words[@]}" -timeout=10 -rss_limit_mb=2048 -max_len=20000 \
    -print_final_stats=1 -artifact_prefix="$build/artifacts/$1/" "$2" "$here/corpus/$1"
}
run_one() {
  mkdir -p "$build/artifacts/$1" "$build/corpus/$1"
  scratch=$(mktemp -d)  # not local: the trap runs after this function
  trap 'rm -rf "$scratch"' EXIT
  {
    replay "$1" && case $mode in
      # Without the two guides that look at addresses and at the clock: the same runs each time.
      short) fuzz "$1" "$scratch" -seed=1 -runs=20000 -use_cmp=0 -entropic=0 ;;
      long) fuzz "$1" "$build/corpus/$1" "-max_total_time=$seconds" ;;
    esac
  } >"$build/logs/$1.log" 2>&1
}
export -f replay fuzz run_one
declare -A failed=()
while read -r name; do failed[$name]=1; done < <(
  printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'run_one {} || echo {}')

# The figures that libFuzzer leaves in a log.
stat() { sed -n "s/^stat::$2: *//p" "$build/logs/$1.log" | tail -1; }
last() { grep -oP "\b$2: \K[0-9]+" "$build/logs/$1.log" | tail -1 || true; }
printf '%-18s %10s %9s %7s %9s %7s  %s\n' target runs runs/s cov features corpus outcome
for name in "${targets[@]}"; do
  outcome=ok
  [[ -n ${failed[$name]:-} ]] && outcome="FAILED: see $build/logs/$name.log"
  printf '%-18s %10s %9s %7s %9s %7s  %s\n' "$name" "$(stat "$name" number_of_executed_units)" \
    "$(stat "$name" average_exec_per_sec)" "$(last "$name" cov)" "$(last "$name" ft)" \
    "$(last "$name" corp)" "$outcome"
done
for name in "${!failed[@]}"; do
  printf '\n%s:\n' "$name"
  grep -E 'broken invariant|ERROR|SUMMARY|runtime error|Test unit written|Running:|no seeds' \
    "$build/logs/$name.log" | tail -5
done
((${#failed[@]} == 0))
