#!/usr/bin/env bash
# clang-tidy over the rooms, with the compile commands of a build folder. Left out, by name: files
# that use coroutines, since clang 14 does not know g++ 12's coroutine headers, and CUDA sources.
#   tests/tidy/clang_tidy.sh build/release [FILE...]
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$1
shift
if (($#)); then
  files=("$@")
else
  mapfile -t files < <(git ls-files 'core/*.cpp' 'scheduler/*.cpp' 'storage/*.cpp' 'models/*.cpp' \
    'http/*.cpp' 'bench/*.cpp')
fi
checked=()
for file in "${files[@]}"; do
  # What includes Asio's coroutines, directly or through the session's headers.
  if g++ -std=c++20 -I. -M "$file" -isystem /usr/include/opencv4 2>/dev/null |
      grep -q 'boost/asio/awaitable.hpp'; then
    echo "left out (coroutines): $file"
  elif ! grep -q "\"file\": \".*/$file\"" "$build/compile_commands.json"; then
    echo "left out (not built here): $file"
  else
    checked+=("$file")
  fi
done
printf '%s\n' "${checked[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build"
