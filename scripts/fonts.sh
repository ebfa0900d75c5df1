#!/bin/sh
# Make the fonts in playground/ui/assets/fonts from packages on npm. Needs npm and Python.
set -eu

INTER=4.1.1
STIX=5.3.0
TARGET=$(cd "$(dirname "$0")/.." && pwd)/playground/ui/assets/fonts
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

python3 -m venv env
env/bin/pip install --quiet fonttools==4.68.0 brotli==1.2.1
mkdir -p "$TARGET" inter stix

# Text. The optical size is fixed and the weights are limited, because the page uses no others. "calt" is left
# out: it would show "->" as an arrow, but the page must show what a model wrote.
tar -xzf "$(npm pack --silent "inter-ui@$INTER")" -C inter
env/bin/fonttools varLib.instancer inter/package/variable/InterVariable.woff2 opsz=14 wght=400:700 --output limited.ttf
# Latin with Extended-A, Greek, punctuation, superscripts, currencies, letterlike symbols, number forms, arrows,
# mathematical operators, and the marks that the page uses.
env/bin/pyftsubset limited.ttf --flavor=woff2 --output-file="$TARGET/inter.woff2" --no-hinting \
  --layout-features=kern,mark,mkmk,ccmp,locl,tnum \
  --unicodes=U+0020-007E,U+00A0-017F,U+02C6-02DD,U+0300-0304,U+0308,U+0370-03FF,U+2000-206F,U+2070-209F,U+20A0-20C0,U+2100-218F,U+2190-21FF,U+2200-22FF,U+2300-23FF,U+2500-25FF,U+2610-2612,U+26A0,U+2713,U+2717,U+FFFD
cp inter/package/LICENSE.txt "$TARGET/inter-license.txt"

# Formulas. The MATH table and the larger variants that it names are kept.
tar -xzf "$(npm pack --silent "@fontsource/stix-two-math@$STIX")" -C stix
# Latin-1, Greek, accents, punctuation, letterlike symbols, arrows, operators, brackets, and the letters that
# MathML takes from the mathematical alphanumeric symbols (italic, bold, script, Fraktur, double-struck).
env/bin/pyftsubset stix/package/files/stix-two-math-latin-400-normal.woff2 --flavor=woff2 \
  --output-file="$TARGET/stix-two-math.woff2" --no-hinting \
  --layout-features=math,ssty,flac,dtls,ccmp,mark,mkmk,kern \
  --unicodes=U+0020-007E,U+00A0-00FF,U+0131,U+0237,U+0300-0338,U+0391-03F6,U+2010-2044,U+2057,U+20D0-20EF,U+2100-214F,U+2190-21FF,U+2200-22FF,U+2308-230B,U+23B0-23E1,U+25A0-25CA,U+27C2,U+27E6-27EF,U+27F5-27FF,U+2A00-2AFF,U+1D400-1D7FF
cp stix/package/LICENSE "$TARGET/stix-two-math-license.txt"

wc -c "$TARGET"/*.woff2
