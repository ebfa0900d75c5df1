"""What is on disk to choose from, for one base model: demonstration sets, adapters, rubrics and probes.

Reads files and nothing else: no model is loaded and nothing is downloaded. A file that cannot be read is
left out and described in `Library.problems`, so one bad file never hides the good ones.
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
"""The set for a base that no set names."""


@dataclass
class Library:
    """Demonstration sets, adapter cards, rubrics and probes by name, for one base model."""

    base: str
    """The base model's name: a Hub id or a path, as given."""
    demo_sets: dict[str, DemoSet] = field(default_factory=dict)
    adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Those made for this base."""
    other_adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Those found here that were made for another base."""
    pending: dict[str, str] = field(default_factory=dict)
    """Adapters asked for whose files are still to come from the Hub: name to Hub id."""
    refused: dict[str, str] = field(default_factory=dict)
    """Adapters asked for that cannot be read, while others can: name to the reason, in one sentence."""
    base_format: ChatFormat | None = None
    """The chat template of the base's own tokenizer, once its files are here; `chat_format` completes it."""
    base_tokenizer: str = ""
    """The folder that `base_format` was read from; "" where it did not come from one."""
    problems: list[str] = field(default_factory=list)
    """One sentence for each file that could not be read."""
    preset: Preset | None = None
    """The preset that the base was chosen by, if any: its demonstration set is the default."""
    data_dir: Path | None = None
    """The user's folder, whose subfolder `demos` has the user's sets."""
    own_sets: dict[str, Path] = field(default_factory=dict)
    """By name, the files of the user's own `demo_sets`."""
    rubrics: dict[str, Rubric] = field(default_factory=dict)
    """What judges can be asked for, by name."""
    rubric_problems: list[str] = field(default_factory=list)
    """One sentence for each file of rubrics that could not be read."""
    probes: list[Probe] = field(default_factory=list)
    probe_problems: list[str] = field(default_factory=list)
    """One sentence for each file of probes that could not be read."""

    @classmethod
    def open(
        cls,
        base: str,
        adapters: Mapping[str, str] | None = None,
        root: Path = ROOT,
        data_dir: Path | None = None,
    ) -> Library:
        """Read `root`'s prompts and adapters, the demonstration sets, rubrics and probes in the user's
        `data_dir`, and the `adapters` named beside them (name to source).

        Raises:
            InputError: the only adapter that was asked for by name cannot be used. One of several goes to
                `refused`, and files that merely lie in `root` go to `problems` instead.
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
        """Read the chat template of a base on this machine: from its tokenizer's files, or its GGUF file."""
        assert source.folder is not None
        if source.file is not None:
            self.base_tokenizer = ""
            self.base_format = read_gguf(source.folder / source.file).chat_format
            return
        self.base_tokenizer = str(source.folder) if has_templates(source.folder) else ""
        self.base_format = sketch_chat_format(source.folder)

    def _read_demo_sets(self, folder: Path, own: bool = False) -> None:
        """Add a folder's sets; one whose name is taken is a problem, since a name means one set."""
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
                # A file's name need not be text, and a sentence about it must be.
                self.problems.append(str(error).encode("utf-8", "replace").decode("utf-8"))

    def read_rubrics_and_probes(self, root: Path = ROOT, data_dir: Path | None = None) -> None:
        """Read the rubrics and probes of `root`'s prompts and of the user's `data_dir`."""
        folders = [root / "prompts", *([] if data_dir is None else [data_dir])]
        self.rubrics, self.rubric_problems = read_rubrics([folder / "judge" for folder in folders])
        self.probes, self.probe_problems = find_probes([folder / "probes" for folder in folders])

    def save(self, demos: DemoSet) -> Path:
        """Write a set into the user's folder and add it; one of the user's of that name is replaced.

        Raises:
            InputError: the name is taken by a set that is not the user's TOML file, or cannot be a name.
            OutsideError: the file cannot be written.
        """
        assert self.data_dir is not None
        name = demos.name
        path = save_demo_set(self.data_dir, demos, self.own_sets.get(name), self.demo_sets.get(name))
        self.demo_sets[name] = demos
        self.own_sets[name] = path
        return path

    def ask_for(self, name: str, source: str) -> None:
        """Add the adapter that a person named: at once from a folder, later from the Hub."""
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
        """Add a card that a person asked for.

        The engine finds out by its shapes whether it fits the base, whose name differs from copy to copy.
        """
        # In this order, so that a page that lists adapters meanwhile finds it in one of the two at least.
        self.adapters[card.name] = card
        self.pending.pop(card.name, None)

    def pending_sources(self) -> dict[str, str]:
        """A copy of `pending`, which the engine's thread changes while a page lists adapters."""
        return dict(self.pending)

    def _shelve(self, card: AdapterCard) -> None:
        fits = same_model(card.base_model, self.base)
        (self.adapters if fits else self.other_adapters)[card.name] = card

    def demo_set(self, name: str) -> DemoSet:
        """The demonstration set of that name; InputError names the ones there are."""
        if name not in self.demo_sets:
            raise InputError(
                f"There is no demonstration set {name!r}: choose one of {_names(self.demo_sets)}."
            )
        return self.demo_sets[name]

    def default_demo_set(self) -> DemoSet:
        """The preset's set, else the one meant for this base, else the general one."""
        if self.preset is not None and self.preset.demos in self.demo_sets:
            return self.demo_sets[self.preset.demos]
        for demos in self.demo_sets.values():
            if same_model(demos.meant_for, self.base):
                return demos
        return self.demo_set(GENERAL_DEMOS)

    def rubric(self, name: str) -> Rubric:
        """The rubric of that name; InputError names the ones there are."""
        if name not in self.rubrics:
            raise InputError(f"There is no rubric {name!r}: choose one of {', '.join(self.rubrics)}.")
        return self.rubrics[name]

    def probe_of(self, messages: Sequence[str]) -> Probe | None:
        """The probe whose first messages are these, word for word; None if there is none."""
        return next((probe for probe in self.probes if probe.turns[: len(messages)] == tuple(messages)), None)

    def adapter(self, name: str) -> AdapterCard:
        """The card of the adapter of that name, made for this base; InputError says what there is."""
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
        """The complete chat format of an adapter or, for None, of the base.

        Loads the tokenizer that it belongs to, at the first time. A template that cannot be read does not
        raise: its format carries the reason in `problem`, so that it stays in the lanes that use it.

        Args:
            adapter: its own template counts, else the chat format that its card names, else the base's.
            template: which one of a tokenizer's named templates; None: the default.

        Returns:
            None where there is no chat template.

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
        """The names of the chat templates that `chat_format` can choose from; none where it cannot."""
        try:
            folder, _ = self._format_source(adapter)
            return () if folder is None else tuple(read_templates(folder))
        except InputError:
            return ()

    def _format_source(self, adapter: str | None) -> tuple[Path | None, ChatFormat | None]:
        """Where the chat format of an adapter or of the base comes from: a folder, or what is known."""
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
    """The base's files on this machine; None for a Hub id, and for a path that the engine will refuse."""
    try:
        source = find_source(base, root)
    except InputError:
        return None
    return source if source.folder is not None else None
