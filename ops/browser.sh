#!/bin/sh
# Make sure that the browser tests find a Chromium: one that is there, Playwright's own download, or
# Debian's package. Prints nothing when there is nothing to do.
set -eu
for found in chromium chromium-browser google-chrome; do
    command -v "$found" >/dev/null 2>&1 && exit 0
done
cache=${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}
ls -d "$cache"/chromium-* >/dev/null 2>&1 && exit 0
echo "fetching a Chromium for the browser tests"
timeout 240 .venv/bin/playwright install --with-deps chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null && exit 0
fi
echo "no Chromium could be installed; install one (Debian: apt-get install chromium) and try again" >&2
exit 1
