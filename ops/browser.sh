#!/bin/sh
# Make sure that the browser tests find a Chromium: at best its shell without windows, which needs
# three quarters of the work for the same pages, else any that is there. Prints nothing when there
# is nothing to do.
set -eu
debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    timeout 60 apt-get update -qq && timeout 180 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
cache=${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}
command -v chromium-headless-shell >/dev/null 2>&1 && exit 0
ls -d "$cache"/chromium_headless_shell-* >/dev/null 2>&1 && exit 0
debian chromium-headless-shell fonts-dejavu-core 2>/dev/null && exit 0
for found in chromium chromium-browser google-chrome; do
    command -v "$found" >/dev/null 2>&1 && exit 0
done
echo "fetching a Chromium for the browser tests"
timeout 240 .venv/bin/playwright install --with-deps --only-shell chromium >/dev/null 2>&1 && exit 0
debian chromium fonts-dejavu-core && exit 0
echo "no Chromium could be installed; install one (Debian: apt-get install chromium) and try again" >&2
exit 1
