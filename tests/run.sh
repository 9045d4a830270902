#!/usr/bin/env bash
# Runs ctest in a build folder, then lists by name what was skipped and why.
#   tests/run.sh build/release [ctest arguments]
set -uo pipefail
build=$1
shift
report=$build/test-report.xml
(cd "$build" && ctest --output-on-failure --no-tests=error --output-junit test-report.xml \
  -j "$(nproc)" "$@")
result=$?
if [[ -f $report ]]; then
  python3 "$(dirname "$0")/support/list_skipped.py" "$report"
fi
exit "$result"
