#!/bin/sh
# Installs Debian packages that some tests use, under CI as root on a system with apt. Elsewhere, nothing is
# installed: without the packages, these tests are skipped.
#
# Usage: scripts/debian.sh PACKAGE...
set -u
case "${CI:-}" in "" | 0 | false | no) exit 0 ;; esac
command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || exit 0
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 && continue
    echo "Installing Debian's $package for the tests in tests/deployment..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
        echo "$package could not be installed: its tests are skipped." >&2
done
exit 0
