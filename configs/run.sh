#!/usr/bin/env bash
# 'make run': serves in the foreground and, once it is ready, prints what to try.
#   configs/run.sh build/release/xcloud [PORT]
set -euo pipefail
program=$1
port=${2:-8080}
photo=var/photos/chelsea.png
[[ -f $photo ]] || photo=photo.jpg

# The server's own stdout goes on; the hint follows its "listening on" line.
exec > >(while IFS= read -r line; do
  printf '%s\n' "$line"
  if [[ $line == "listening on "* ]]; then
    url=${line#listening on }
    printf '\nTry:   curl -F image=@%s %s/cv/imagenet\n' "$photo" "$url"
    printf '       curl -F image=@%s %s/cv/nsfw\n' "$photo" "$url"
    printf 'Pages: %s/\n\n' "$url"
  fi
done)
exec "$program" serve --set "server.port=$port"
