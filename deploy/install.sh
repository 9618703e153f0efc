#!/usr/bin/env bash
# Installs system packages: `install.sh browser` what a login needs, `install.sh all` what the tests need as well.
# What is there already is left alone; without apt it says what is missing.
set -euo pipefail

browser=(chromium-headless-shell)
tests=(
  libnss3-tools              # certutil: private authorities for the browser
  tinyproxy microsocks       # real egress proxies
  prometheus                 # promtool
  prometheus-blackbox-exporter  # benchmarks
  iproute2 mount util-linux  # network namespaces and mounts: cut networks, full disks
  curl ca-certificates
)

missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

case "${1:-}" in
  browser) wanted=("${browser[@]}") ;;
  all) wanted=("${browser[@]}" "${tests[@]}") ;;
  *) echo "usage: $0 browser|all" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
  if [ "$1" = browser ] && command -v chromium-headless-shell chromium google-chrome >/dev/null; then exit 0; fi
  echo "no apt-get here; install with your own package manager: ${wanted[*]}" >&2
  echo "for the browser this works too: playwright install chromium-headless-shell" >&2
  exit "$([ "$1" = browser ] && echo 0 || echo 1)"
fi

mapfile -t packages < <(missing "${wanted[@]}")
[ "${#packages[@]}" -eq 0 ] && exit 0

echo "installing ${packages[*]}" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
# The services that some packages bring are not to be started: tests start their own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
