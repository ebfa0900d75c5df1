#!/bin/sh
# Checks that the browser tests can find a Chromium. Without one, installs it under CI or with CHROMIUM=install:
# Debian's package as root on a system with apt, else Playwright's own download. The headless shell is preferred,
# because it takes about a quarter less CPU time: Chromium also draws its own windows.
#
# Usage: scripts/chromium.sh PYTHON
# Exit status: 0 if there is a Chromium, or if the installation failed (the browser tests then fail under CI and
# are skipped elsewhere); 2 if there is none and it was not to be installed,
# or if TANDEM_CHROMIUM is wrong.
set -u
python=$1

if [ -n "${TANDEM_CHROMIUM:-}" ]; then
    [ -x "$TANDEM_CHROMIUM" ] && exit 0
    echo "TANDEM_CHROMIUM is $TANDEM_CHROMIUM, which is not an executable file: correct or unset it." >&2
    exit 2
fi
case "${CI:-}" in "" | 0 | false | no) ci= ;; *) ci=yes ;; esac
install() {
    command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
    echo "Installing Debian's $1 for the browser tests..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}
command -v chromium-headless-shell >/dev/null 2>&1 && exit 0
if [ -n "$ci" ] || [ "${CHROMIUM:-}" = install ]; then
    install chromium-headless-shell && exit 0
fi
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
"$python" -c '
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    sys.exit(not os.path.exists(p.chromium.executable_path))' 2>/dev/null && exit 0

if [ -z "$ci" ] && [ "${CHROMIUM:-}" != install ]; then
    echo "The browser tests need a Chromium: run \`make test CHROMIUM=install\` to install one, or name yours in" \
        "TANDEM_CHROMIUM. To run all other tests: $python -m pytest -m 'not browser'" >&2
    exit 2
fi
install chromium && exit 0
echo "Downloading Playwright's Chromium for the browser tests..."
"$python" -m playwright install chromium && exit 0
echo "No Chromium could be installed: the browser tests cannot run." >&2
exit 0
