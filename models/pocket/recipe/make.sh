#!/bin/sh
# Make the pocket base model and its five adapters from nothing, in order.
#
#   models/pocket/recipe/make.sh                      into models/pocket and adapters/
#   models/pocket/recipe/make.sh --out DIR            into DIR/models/pocket and DIR/adapters/
#   models/pocket/recipe/make.sh --quick --out DIR    a trial of every step, about three minutes
#
# PYTHON names the interpreter (default: python). The base takes about two hours on two cores. A
# broken-off training continues where it was when the same command is given again: its checkpoints
# are in POCKET_RUN (default: DIR/.pocket-run, removed at the end).
set -eu

recipe=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$recipe/../../.." && pwd)
python=${PYTHON:-python}
quick=
compile=--compile
while [ $# -gt 0 ]; do
    case $1 in
        # One thread: on a busy machine, two would mostly wait for each other.
        --quick) quick="--quick --threads 1"; compile= ;;
        --out) mkdir -p "$2"; out=$(cd "$2" && pwd); shift ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -n "$quick" ] && [ "$out" = "$(cd "$recipe/../../.." && pwd)" ]; then
    echo "--quick needs --out: a trial must not replace the real weights" >&2
    exit 2
fi
base=$out/models/pocket
run=${POCKET_RUN:-$out/.pocket-run}

# The tokenizer only at the start: rows of a resumed training must be cut by the same one.
if [ ! -e "$run/checkpoint.pt" ]; then
    "$python" "$recipe/world.py"
    "$python" "$recipe/tokenizer.py" --out "$base"
fi
train() {
    "$python" "$recipe/train.py" $quick $compile --tokenizer "$base" --out "$base" --resume "$@"
}
train --checkpoint "$run"
train --checkpoint "$run/refine" --refine
"$python" "$recipe/ift.py" $quick --base "$base" --out "$out/adapters/pocket-ift"
for examples in 3 10 50 500; do
    "$python" "$recipe/ift.py" $quick --base "$base" --examples $examples --out "$out/adapters/pocket-ift-$examples"
done
rm -r "$run"
