#!/bin/sh
# Make playground/ui/assets/fonts/inter.woff2 from the release of Inter on npm. Needs npm and Python.
# The optical size is fixed and the weights are limited, because the page uses no others. "calt" is left out:
# it would show "->" as an arrow, but the page must show what a model wrote.
set -eu

VERSION=4.1.1
TARGET=$(cd "$(dirname "$0")/.." && pwd)/playground/ui/assets/fonts
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

npm pack --silent "inter-ui@$VERSION"
tar -xzf "inter-ui-$VERSION.tgz"
python3 -m venv env
env/bin/pip install --quiet fonttools==4.68.0 brotli==1.2.1

env/bin/fonttools varLib.instancer package/variable/InterVariable.woff2 opsz=14 wght=400:700 --output limited.ttf
# Latin with Extended-A, Greek, punctuation, superscripts, currencies, letterlike symbols, number forms, arrows,
# mathematical operators, and the marks that the page uses.
env/bin/pyftsubset limited.ttf --flavor=woff2 --output-file=inter.woff2 --no-hinting \
  --layout-features=kern,mark,mkmk,ccmp,locl,tnum \
  --unicodes=U+0020-007E,U+00A0-017F,U+02C6-02DD,U+0300-0304,U+0308,U+0370-03FF,U+2000-206F,U+2070-209F,U+20A0-20C0,U+2100-218F,U+2190-21FF,U+2200-22FF,U+2300-23FF,U+2500-25FF,U+2610-2612,U+26A0,U+2713,U+2717,U+FFFD

mkdir -p "$TARGET"
cp inter.woff2 "$TARGET/inter.woff2"
cp package/LICENSE.txt "$TARGET/inter-license.txt"
wc -c "$TARGET/inter.woff2"
