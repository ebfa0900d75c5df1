"""Run the steps of the Dockerfile without a container builder, then start the container's command.

Each stage gets a root folder with a minimal Debian (made by debootstrap), into which COPY copies the build
context according to .dockerignore, and in which RUN runs with chroot. The last stage's CMD is then started as
its USER, and its HEALTHCHECK is run until it succeeds. The network is the machine's own. This checks the
Dockerfile's steps, not the base image: Debian's Python takes the place of the one in python:VERSION-slim.

python scripts/container.py FOLDER [--wheels FOLDER] [--port N] [--try "COMMAND"]

Requires Linux, root, debootstrap and network access to Debian's mirror. Packages come from PyPI and the index
in the Dockerfile, or only from the wheels in --wheels (made with `pip download -r requirements.txt`).
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIRROR = "http://deb.debian.org/debian"
RELEASE = "bookworm"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
"""What python:VERSION-slim has and a minimal Debian has not."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STARTED = 120
"""Seconds within which the container must become healthy."""


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile, such as `RUN pip install x`."""

    name: str
    text: str
    line: int


@dataclass(kw_only=True)
class Stage:
    """One stage of a Dockerfile: an image, a name, and the instructions after its FROM."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction | None:
        """Return the last instruction with the given name, or None."""
        return next((each for each in reversed(self.instructions) if each.name == name), None)


def parse(text: str) -> tuple[dict[str, str], list[Stage]]:
    """Parse a Dockerfile. Return the build arguments before the first stage, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in read_instructions(text):
        if instruction.name == "FROM":
            image, _, name = expand(instruction.text, arguments).partition(" AS ")
            stages.append(Stage(image=image, name=name))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            name, _, value = instruction.text.partition("=")
            arguments[name] = value
    return arguments, stages


def read_instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile, with continued lines joined and comments removed."""
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        first = first or number
        joined += line.strip().removesuffix("\\")
        if not line.endswith("\\"):
            name, _, rest = joined.partition(" ")
            yield Instruction(name=name.upper(), text=rest.strip(), line=first)
            joined, first = "", 0


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ${NAME} by its value; unknown names are replaced by nothing, as Docker does."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], ""), text)


def read_command(text: str) -> list[str]:
    """Return the arguments of a command in JSON form, with the options before it removed."""
    found = re.search(r"\[.*\]", text)
    if found is None:
        raise SystemExit(f"{text!r} is not in JSON form: write the command as a list of strings.")
    return [str(word) for word in json.loads(found[0])]


def read_context(folder: Path) -> list[str]:
    """Return the files of the build context: those that .dockerignore does not exclude, in order."""
    lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    kept = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    files: list[str] = []
    for top, folders, names in os.walk(folder):
        place = Path(top).relative_to(folder)
        relative = [str(place / name) for name in folders]
        # A folder that is excluded is read only if a file in it may be included again.
        folders[:] = [
            Path(name).name
            for name in sorted(relative)
            if not is_ignored(name, patterns) or any(each.startswith(f"{name}/") for each in kept)
        ]
        files += [str(place / name) for name in names if not is_ignored(str(place / name), patterns)]
    return sorted(files)


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Return whether the last pattern that matches the path or a folder above it excludes it."""
    parts = path.split("/")
    places = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    ignored = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        # "**/" matches no folder as well. Otherwise, "*" does not match "/".
        names = [place.rpartition("/")[2] for place in places] if bare.startswith("**/") else places
        bare = bare.removeprefix("**/")
        if any(fnmatch.fnmatchcase(name, bare) and name.count("/") == bare.count("/") for name in names):
            ignored = not pattern.startswith("!")
    return ignored


class Build:
    """A stage's root folder, and the state that its instructions change."""

    def __init__(self, root: Path, variables: Mapping[str, str]) -> None:
        """Create the state.

        Args:
            root: the root folder, which contains Debian.
            variables: environment variables for RUN that are not in the Dockerfile.
        """
        self.root = root
        self.folder, self.user = "/", "root"
        self.environment = {"PATH": PATH}
        self.arguments: dict[str, str] = {}
        self._variables = variables

    def apply(self, instruction: Instruction, stages: Mapping[str, Path]) -> None:
        """Apply one instruction.

        Args:
            instruction: the instruction.
            stages: root folders of the earlier stages, by name.
        """
        text = instruction.text
        if instruction.name == "RUN":
            self.run(["/bin/sh", "-c", text])
        elif instruction.name == "COPY":
            self._copy(text.split(), stages)
        elif instruction.name == "WORKDIR":
            self.folder = text
            self._inside(text).mkdir(parents=True, exist_ok=True)
        elif instruction.name == "ENV":
            values = {**self.arguments, **self.environment}
            self.environment |= dict(re.findall(r"(\w+)=(\S+)", expand(text, values)))
        elif instruction.name == "ARG":
            name, _, value = text.partition("=")
            self.arguments.setdefault(name, value)
        elif instruction.name == "USER":
            self.user = text
        elif instruction.name not in ("VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"):
            raise SystemExit(
                f"Dockerfile:{instruction.line}: {instruction.name} is not supported here: extend {__file__}."
            )

    def run(self, command: Sequence[str]) -> str:
        """Run a command in the root folder as the current user, and return its standard output."""
        return subprocess.run(self.wrap(command), check=True, stdout=subprocess.PIPE, text=True).stdout

    def wrap(self, command: Sequence[str], **environment: str) -> list[str]:
        """Return the command line that runs a command in the root folder, with its own process ids."""
        given = {**self._variables, **self.arguments, **self.environment, **environment}
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        ids = [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--no-new-privs"]
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(f"--root={self.root}", f"--wd={self.folder}"),
            *("/usr/bin/setpriv", *ids),
            *("/usr/bin/env", "-i", f"HOME={home}", *(f"{name}={value}" for name, value in given.items())),
            *command,
        ]

    def _inside(self, path: str) -> Path:
        return self.root / str(Path(self.folder, path)).lstrip("/")

    def _copy(self, words: list[str], stages: Mapping[str, Path]) -> None:
        *sources, target = [word for word in words if not word.startswith("--")]
        stage = next((word.partition("=")[2] for word in words if word.startswith("--from=")), None)
        for source in sources:
            if stage is not None:
                place = self._inside(target)
                place.parent.mkdir(parents=True, exist_ok=True)
                copy_tree(stages[stage] / source.lstrip("/"), place)
                continue
            files = [name for name in read_context(ROOT) if name == source or name.startswith(f"{source}/")]
            if not files:
                raise SystemExit(f"COPY {source}: .dockerignore leaves nothing of it: add !{source} there.")
            for name in files:
                place = self._inside(target) / (
                    name if name == source else str(Path(name).relative_to(source))
                )
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, place)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with its owners and device files, sharing the data on disk if the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", "-T", source, target], check=True)


def make_base(folder: Path) -> None:
    """Install a minimal Debian with Python in a folder, unless it is there already."""
    if (folder / "usr/bin/python").exists():
        return
    print(f"debootstrap {RELEASE} with {PACKAGES}", flush=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, folder, MIRROR],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def build(folder: Path, arguments: Mapping[str, str], wheels: Path | None) -> tuple[Build, Stage]:
    """Run all stages of the Dockerfile, and return the last one.

    Args:
        folder: folder for the stages' root folders.
        arguments: values for the Dockerfile's build arguments.
        wheels: folder with all wheels, used in place of package indexes; None to use the indexes.
    """
    _, stages = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    base = folder / "debian"
    make_base(base)
    roots: dict[str, Path] = {}
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"} if wheels else {}
    for number, stage in enumerate(stages):
        root = folder / f"stage-{number}"
        copy_tree(base, root)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # as container runtimes do
        if wheels:
            copy_tree(wheels, root / "wheels")
        build = Build(root, variables)
        build.arguments |= arguments
        for instruction in stage.instructions:
            start = time.monotonic()
            print(f"{instruction.name} {instruction.text}"[:150], flush=True)
            build.apply(instruction, roots)
            if (seconds := time.monotonic() - start) > 1:
                print(f"    {seconds:.1f} s", flush=True)
        roots[stage.name] = root
        shutil.rmtree(root / "wheels", ignore_errors=True)
    return build, stage


def start(build: Build, stage: Stage, port: int) -> None:
    """Start the container's command, wait until it is healthy, and stop it with SIGTERM."""
    command, check = stage.last("CMD"), stage.last("HEALTHCHECK")
    assert command is not None
    assert check is not None
    chosen = {"TANDEM_PORT": str(port)}
    process = subprocess.Popen(build.wrap(read_command(command.text), **chosen))
    started = time.monotonic()
    try:
        while True:
            checked = subprocess.run(
                build.wrap(read_command(check.text.partition("CMD")[2]), **chosen),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            seconds = time.monotonic() - started
            if checked.returncode == 0:
                break
            if process.poll() is not None or seconds > STARTED:
                raise SystemExit(f"The container is not healthy after {seconds:.0f} s.")
            time.sleep(0.5)
        print(f"healthy after {seconds:.1f} s as {build.user}: {checked.stdout.strip()}", flush=True)
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)  # `unshare` itself ignores it
        print(f"stopped with exit status {process.wait(timeout=60)}", flush=True)
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Build, start and check the container; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder for the root folders; it may contain debian/")
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of requirements.txt")
    parser.add_argument("--port", type=int, default=7860, help="port that the container listens on")
    parser.add_argument("--build-arg", action="append", default=[], help="NAME=VALUE, as for docker build")
    parser.add_argument("--try", dest="trial", help="shell command to run in the container at the end")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("This needs root and debootstrap: apt-get install debootstrap.", file=sys.stderr)
        return 2
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    arguments = dict(each.split("=", 1) for each in options.build_arg)
    built, stage = build(folder, arguments, options.wheels)
    start(built, stage, options.port)
    if options.trial:
        print(built.run(["/bin/sh", "-c", options.trial]), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
