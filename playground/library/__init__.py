"""Library of the files available for one base model: demonstration sets, adapters, rubrics and probes.

Only reads files; no model is loaded and nothing is downloaded. A file that cannot be read is left out and
described in `Library.problems`, so one bad file never hides the good ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playground.aligners import classes_by_name
from playground.demonstrations.files import demo_files, read_demo_file
from playground.gguf import read_gguf
from playground.library.adapter_cards import read_adapter as read_adapter
from playground.library.base_names import same_model as same_model
from playground.library.chat_formats import add_ends, has_templates, sketch_chat_format
from playground.library.chat_formats import read_chat_format as read_chat_format
from playground.library.chat_formats import tokenizer_chat_format as tokenizer_chat_format
from playground.library.presets import Preset
from playground.library.probes import Probe, find_probes
from playground.library.sources import ROOT as ROOT
from playground.library.sources import Source, find_source, looks_like_path
from playground.library.user_folder import save_demo_set
from playground.rubrics.files import read_rubrics
from playground.rubrics.rubric import Rubric
from playground.templates import choose_template, read_templates
from playground.types import AdapterCard, ChatFormat, DemoSet, InputError, check_name

POCKET = "models/pocket"
GENERAL_DEMOS = "general-3"
"""The default set for a base without a set of its own."""


@dataclass
class Library:
    """Demonstration sets, adapter cards, rubrics and probes by name, for one base model."""

    base: str
    """The base model's name: a Hub id or a path, as given."""
    demo_sets: dict[str, DemoSet] = field(default_factory=dict)
    adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Adapters made for this base."""
    other_adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Adapters found on disk that were made for another base."""
    pending: dict[str, str] = field(default_factory=dict)
    """Requested adapters whose files are still being downloaded from the Hub: name to Hub id."""
    refused: dict[str, str] = field(default_factory=dict)
    """Requested adapters that cannot be read, if there are others: name to the reason, in one sentence."""
    base_format: ChatFormat | None = None
    """The chat template of the base's tokenizer, once its files are available; `chat_format` completes it."""
    base_tokenizer: str = ""
    """The folder that `base_format` was read from; "" if it was not read from a folder."""
    problems: list[str] = field(default_factory=list)
    """One sentence for each file that could not be read."""
    preset: Preset | None = None
    """The preset that the base was chosen with, if any: its demonstration set is the default."""
    data_dir: Path | None = None
    """The user's folder; its subfolder `demos` holds the user's sets."""
    own_sets: dict[str, Path] = field(default_factory=dict)
    """The files of the user's own `demo_sets`, by name."""
    rubrics: dict[str, Rubric] = field(default_factory=dict)
    """The available rubrics, by name."""
    rubric_problems: list[str] = field(default_factory=list)
    """One sentence for each rubric file that could not be read."""
    probes: list[Probe] = field(default_factory=list)
    probe_problems: list[str] = field(default_factory=list)
    """One sentence for each probe file that could not be read."""

    @classmethod
    def open(
        cls,
        base: str,
        adapters: Mapping[str, str] | None = None,
        root: Path = ROOT,
        data_dir: Path | None = None,
    ) -> Library:
        """Read the prompts and adapters in `root`, the demonstration sets, rubrics and probes in the user's
        `data_dir`, and the requested `adapters` (name to source).

        Raises:
            InputError: the only requested adapter cannot be used. With several, each unusable one goes to
                `refused`; unusable files in `root` go to `problems`.
        """
        library = cls(base=base, data_dir=data_dir)
        if (local := _local_source(base, root)) is not None:
            library.read_base_format(local)
        library._read_demo_sets(root / "prompts" / "demos")
        if data_dir is not None:
            library._read_demo_sets(data_dir / "demos", own=True)
        library.read_rubrics_and_probes(root, data_dir)
        for config in sorted((root / "adapters").glob("*/adapter_config.json")):
            try:
                card = read_adapter(config.parent)
                library._shelve(card)
            except InputError as error:
                library.problems.append(str(error))
        for name, source in (adapters or {}).items():
            try:
                library.ask_for(name, source)
            except InputError as error:
                if len(adapters or {}) == 1:
                    raise
                library.refused[name] = str(error)
                library.problems.append(str(error))
        return library

    def read_base_format(self, source: Source) -> None:
        """Read the chat template of a local base from its tokenizer's files or its GGUF file."""
        assert source.folder is not None
        if source.file is not None:
            self.base_tokenizer = ""
            self.base_format = read_gguf(source.folder / source.file).chat_format
            return
        self.base_tokenizer = str(source.folder) if has_templates(source.folder) else ""
        self.base_format = sketch_chat_format(source.folder)

    def _read_demo_sets(self, folder: Path, own: bool = False) -> None:
        """Add a folder's sets; a set with a name already in use is reported as a problem."""
        for path in demo_files(folder):
            try:
                demos = read_demo_file(path)
                if demos.name in self.demo_sets:
                    raise InputError(
                        f"{path}: the name {demos.name!r} is taken by another demonstration set; give this "
                        "one another name."
                    )
                self.demo_sets[demos.name] = demos
                if own:
                    self.own_sets[demos.name] = path
            except InputError as error:
                # A file name may not be valid UTF-8, but the message must be.
                self.problems.append(str(error).encode("utf-8", "replace").decode("utf-8"))

    def read_rubrics_and_probes(self, root: Path = ROOT, data_dir: Path | None = None) -> None:
        """Read the rubrics and probes in `root`'s prompts and in the user's `data_dir`."""
        folders = [root / "prompts", *([] if data_dir is None else [data_dir])]
        self.rubrics, self.rubric_problems = read_rubrics([folder / "judge" for folder in folders])
        self.probes, self.probe_problems = find_probes([folder / "probes" for folder in folders])

    def save(self, demos: DemoSet) -> Path:
        """Save a set in the user's folder and add it, replacing the user's set of the same name.

        Raises:
            InputError: the name belongs to a set that is not the user's TOML file, or is not a usable name.
            OutsideError: the file cannot be written.
        """
        assert self.data_dir is not None
        name = demos.name
        path = save_demo_set(self.data_dir, demos, self.own_sets.get(name), self.demo_sets.get(name))
        self.demo_sets[name] = demos
        self.own_sets[name] = path
        return path

    def ask_for(self, name: str, source: str) -> None:
        """Add a requested adapter: immediately if it is a folder, after its download if it is on the Hub."""
        check_name(name, "The adapter name")
        if name in classes_by_name():
            raise InputError(f"The adapter name {name!r} is taken by a lane: give it another name.")
        folder = Path(source).expanduser()
        if folder.is_dir():
            self.add(read_adapter(folder, name=name))
        elif folder.is_file():
            raise InputError(
                f"{source} is a file: an adapter is a folder in PEFT's format, and LoRA files of llama.cpp "
                f"are not read; check the path given for {name!r}."
            )
        elif looks_like_path(source):
            raise InputError(f"There is no adapter folder {source}: check the path given for {name!r}.")
        else:
            self.pending[name] = source

    def add(self, card: AdapterCard) -> None:
        """Add the card of a requested adapter.

        Whether it fits the base is left to the engine, which compares shapes: the name of a base differs from
        copy to copy.
        """
        # In this order, so that a page listing adapters meanwhile finds it in at least one of the two.
        self.adapters[card.name] = card
        self.pending.pop(card.name, None)

    def pending_sources(self) -> dict[str, str]:
        """Return a copy of `pending`, which the engine's thread may change while a page lists adapters."""
        return dict(self.pending)

    def _shelve(self, card: AdapterCard) -> None:
        fits = same_model(card.base_model, self.base)
        (self.adapters if fits else self.other_adapters)[card.name] = card

    def demo_set(self, name: str) -> DemoSet:
        """Return the demonstration set of that name; raises InputError listing the available ones."""
        if name not in self.demo_sets:
            raise InputError(
                f"There is no demonstration set {name!r}: choose one of {_names(self.demo_sets)}."
            )
        return self.demo_sets[name]

    def default_demo_set(self) -> DemoSet:
        """Return the preset's set, else the one meant for this base, else the general one."""
        if self.preset is not None and self.preset.demos in self.demo_sets:
            return self.demo_sets[self.preset.demos]
        for demos in self.demo_sets.values():
            if same_model(demos.meant_for, self.base):
                return demos
        return self.demo_set(GENERAL_DEMOS)

    def rubric(self, name: str) -> Rubric:
        """Return the rubric of that name; raises InputError listing the available ones."""
        if name not in self.rubrics:
            raise InputError(f"There is no rubric {name!r}: choose one of {', '.join(self.rubrics)}.")
        return self.rubrics[name]

    def probe_of(self, messages: Sequence[str]) -> Probe | None:
        """Return the probe that begins with exactly these messages; None if there is none."""
        return next((probe for probe in self.probes if probe.turns[: len(messages)] == tuple(messages)), None)

    def adapter(self, name: str) -> AdapterCard:
        """Return the card of an adapter made for this base; raises InputError listing the available ones."""
        if name in self.adapters:
            return self.adapters[name]
        if name in self.other_adapters:
            made_for = self.other_adapters[name].base_model
            raise InputError(
                f"Adapter {name!r} was made for the base {made_for!r}, not for {self.base!r}: start "
                f"with --base {made_for}, or choose another adapter."
            )
        if name in self.refused:
            raise InputError(self.refused[name])
        if name in self.pending:
            raise InputError(
                f"Adapter {name!r} is still on its way from {self.pending[name]}: try again shortly."
            )
        raise InputError(f"There is no adapter {name!r}: choose one of {_names(self.adapters)}.")

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """Return the complete chat format of an adapter or, for None, of the base.

        Loads its tokenizer on the first call. A template that cannot be read does not raise: the reason is in
        the format's `problem`, so that only the lanes that use it fail.

        Args:
            adapter: uses the adapter's own template, else the format that its card names, else the base's.
            template: the name of one of a tokenizer's templates; None is the default.

        Returns:
            None if there is no chat template.

        Raises:
            InputError: there is no such adapter, or no such template.
        """
        folder, known = self._format_source(adapter)
        if folder is None:
            if template is not None:
                raise InputError(f"There is no chat template {template!r} to choose: leave template= out.")
            return None if known is None else add_ends(known)
        try:
            names = read_templates(folder)
            if template is not None:
                choose_template(names, template)
            return tokenizer_chat_format(folder, template)
        except InputError as error:
            if template is not None:
                raise
            return ChatFormat(template="", problem=str(error))

    def template_names(self, adapter: str | None = None) -> tuple[str, ...]:
        """Return the names of the chat templates that `chat_format` can choose from, if any."""
        try:
            folder, _ = self._format_source(adapter)
            return () if folder is None else tuple(read_templates(folder))
        except InputError:
            return ()

    def _format_source(self, adapter: str | None) -> tuple[Path | None, ChatFormat | None]:
        """Return the tokenizer folder or the known format of an adapter, or of the base for None."""
        if adapter is not None:
            card = self.adapter(adapter)
            if card.tokenizer:
                return Path(card.tokenizer), None
            if card.chat_format is not None:
                return None, card.chat_format
        return (Path(self.base_tokenizer) if self.base_tokenizer else None), self.base_format


def _names(table: Mapping[str, object]) -> str:
    return ", ".join(sorted(table)) or "(there are none)"


def _local_source(base: str, root: Path) -> Source | None:
    """Return the base's local files; None for a Hub id, and for a path that the engine will refuse."""
    try:
        source = find_source(base, root)
    except InputError:
        return None
    return source if source.folder is not None else None
