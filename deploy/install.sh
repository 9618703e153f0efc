#!/usr/bin/env bash
# Installs what is not a Python package: `install.sh browser` what a login needs, `install.sh stack` Prometheus and
# Alertmanager, `install.sh linters` the Go tools that read rules and dashboards, `install.sh all` all that the tests
# need. What is there already is left alone; without apt it says what is missing. No service is started or enabled.
set -euo pipefail

browser=(chromium-headless-shell)
stack=(
  prometheus                 # and promtool
  prometheus-alertmanager    # and amtool
)
tests=(
  libnss3-tools              # certutil: private authorities for the browser
  tinyproxy microsocks       # real egress proxies
  prometheus-blackbox-exporter  # benchmarks
  apache2 libapache2-mod-auth-openidc libapache2-mod-oauth2  # canaries: verifiers that cache keys
  faketime                   # days in seconds
  iproute2 mount util-linux  # network namespaces and mounts: cut networks, full disks
  curl ca-certificates
)
# Tool, module, package in it and version. Each is built once (a minute or two) into the user's cache, which tests look
# into. From the module's own source: `go install` asks for lists of versions that not every proxy of modules has.
linters=(
  "pint github.com/cloudflare/pint ./cmd/pint v0.87.0"
  "dashboard-linter github.com/grafana/dashboard-linter . v0.2.0"
)
tools="${XDG_CACHE_HOME:-$HOME/.cache}/oidcwatch/bin"
here=$(dirname "$(readlink -f "$0")")
policy=/usr/sbin/policy-rc.d

missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# The services that some packages bring are not wanted, tests start their own. Debian asks this file before it starts
# one (Debian Policy 9.3.3.2, invoke-rc.d(8)); 101 is its word for no.
forbid_services() {
  [ -e "$policy" ] && return
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f "$policy"' EXIT
}

# Nor at the next start of the machine. A package without a service has nothing to disable.
disable_services() {
  local package
  for package in "$@"; do
    [ -e "/etc/init.d/$package" ] && as_root update-rc.d "$package" disable >/dev/null 2>&1
    [ -e "/lib/systemd/system/$package.service" ] && as_root deb-systemd-helper disable "$package.service" >/dev/null 2>&1
  done
  return 0
}

install_packages() {
  local wanted=("$@") packages
  mapfile -t packages < <(missing "${wanted[@]}")
  [ "${#packages[@]}" -eq 0 ] && return

  echo "installing ${packages[*]}" >&2
  forbid_services
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  disable_services "${packages[@]}"
}

build() {
  local tool=$1 module=$2 package=$3 version=$4 source=$5
  go mod download "$module@$version" && cp -r "$(go env GOMODCACHE)/$module@$version/." "$source" && chmod -R u+w "$source"
  if [ "$tool" = dashboard-linter ]; then
    cp "$here/linters/dashboard-linter-v2.go" "$source/lint/v2.go"
  fi
  (cd "$source" && GOFLAGS=-mod=mod go build -o "$tools/$tool-$version" "$package")
}

install_linters() {
  local row tool module package version source said
  mkdir -p "$tools"
  for row in "${linters[@]}"; do
    read -r tool module package version <<<"$row"
    [ -x "$tools/$tool-$version" ] && continue
    if ! command -v go >/dev/null; then
      echo "$tool is not installed: there is no Go here" >&2
      continue
    fi
    source=$(mktemp -d)
    if said=$(build "$tool" "$module" "$package" "$version" "$source" 2>&1); then
      ln -sf "$tool-$version" "$tools/$tool"
      echo "built $tool $version in $tools" >&2
    else
      echo "$tool is not installed:" "$(tail -2 <<<"$said" | tr -s '\n\t' ' ')" >&2
    fi
    rm -rf "$source"
  done
}

case "${1:-}" in
  browser) wanted=("${browser[@]}") ;;
  stack) wanted=("${stack[@]}") ;;
  linters) wanted=() ;;
  all) wanted=("${browser[@]}" "${stack[@]}" "${tests[@]}") ;;
  *) echo "usage: $0 browser|stack|linters|all" >&2; exit 2 ;;
esac

case "$1" in linters | all) install_linters ;; esac
[ "${#wanted[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  if [ "$1" = browser ] && command -v chromium-headless-shell chromium google-chrome >/dev/null; then exit 0; fi
  echo "no apt-get here; install with your own package manager: ${wanted[*]}" >&2
  echo "for the browser this works too: playwright install chromium-headless-shell" >&2
  exit "$([ "$1" = browser ] && echo 0 || echo 1)"
fi

install_packages "${wanted[@]}"
