"""Library of files available for one base model: demonstration sets, adapters, rubrics and probes.

The library only reads files: it loads no model and downloads nothing. Unreadable files are skipped and
reported in `Library.problems`.
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
from playground.library.presets import Preset, list_presets
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
"""Default demonstration set for base models that do not occur in any preset."""


@dataclass
class Library:
    """Collection of the demonstration sets, adapter cards, rubrics and probes available for one base
    model.
    """

    base: str
    """Name of the base model, as given by the user: a Hub ID or a path."""
    demo_sets: dict[str, DemoSet] = field(default_factory=dict)
    adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Adapters made for this base model."""
    other_adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Adapters found on disk that were made for a different base model."""
    not_served: dict[str, AdapterCard] = field(default_factory=dict)
    """Adapters made for this base model that the server does not serve."""
    pending: dict[str, str] = field(default_factory=dict)
    """Hub ids of requested adapters that have not been downloaded yet, keyed by adapter name."""
    refused: dict[str, str] = field(default_factory=dict)
    """Error messages for unusable adapters, keyed by adapter name. If only one adapter was requested, `open`
    raises the error instead.
    """
    base_format: ChatFormat | None = None
    """Chat format from the base model's tokenizer files, if these files are available. The format may lack
    special tokens; `chat_format` returns the complete format."""
    base_tokenizer: str = ""
    """Folder that `base_format` was read from; "" if it was not read from a folder."""
    problems: list[str] = field(default_factory=list)
    """One error message per file that could not be read."""
    preset: Preset | None = None
    """Preset that selected the base model, if any. Its demonstration set is the library's default set."""
    presets: tuple[Preset, ...] = ()
    """Available presets. If the base model was selected by name, the default demonstration set is that of the
    first preset for the base model.
    """
    data_dir: Path | None = None
    """The user's data folder; its subfolder `demos` holds the user's demonstration sets."""
    own_sets: dict[str, Path] = field(default_factory=dict)
    """Paths of the user's own demonstration sets, keyed by set name."""
    former_sets: dict[str, str] = field(default_factory=dict)
    """What to do instead of using a set that was renamed or deleted since the start, keyed by set name."""
    rubrics: dict[str, Rubric] = field(default_factory=dict)
    """Available rubrics, keyed by name."""
    rubric_problems: list[str] = field(default_factory=list)
    """One error message per rubric file that could not be read."""
    probes: list[Probe] = field(default_factory=list)
    probe_problems: list[str] = field(default_factory=list)
    """One error message per probe file that could not be read."""

    @classmethod
    def open(
        cls,
        base: str,
        adapters: Mapping[str, str] | None = None,
        root: Path = ROOT,
        data_dir: Path | None = None,
    ) -> Library:
        """Read all library files for a base model.

        Args:
            base: name of the base model.
            adapters: requested adapters, as a mapping from name to source.
            root: folder with the shipped prompts and adapters.
            data_dir: the user's folder with demonstration sets, rubrics and probes.

        Raises:
            InputError: the only requested adapter cannot be used. If several adapters are requested, unusable
                ones are recorded in `refused` instead. Unusable files in `root` are recorded in `problems`.
        """
        presets, _ = list_presets(data_dir, root / "models" / "presets.toml")
        library = cls(base=base, data_dir=data_dir, presets=tuple(presets))
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
        """Read the chat template of a local base model from its tokenizer files or its GGUF file."""
        assert source.folder is not None
        if source.file is not None:
            self.base_tokenizer = ""
            self.base_format = read_gguf(source.folder / source.file).chat_format
            return
        self.base_tokenizer = str(source.folder) if has_templates(source.folder) else ""
        self.base_format = sketch_chat_format(source.folder)

    def _read_demo_sets(self, folder: Path, own: bool = False) -> None:
        """Add the demonstration sets in a folder, reporting duplicate names in `problems`."""
        for path in demo_files(folder):
            try:
                demos = read_demo_file(path)
                if demos.name in self.demo_sets:
                    raise InputError(
                        f"{path}: the name {demos.name!r} is already used by another demonstration set; "
                        "rename this one."
                    )
                self.demo_sets[demos.name] = demos
                if own:
                    self.own_sets[demos.name] = path
            except InputError as error:
                # File names may be invalid UTF-8, but messages must be valid.
                self.problems.append(str(error).encode("utf-8", "replace").decode("utf-8"))

    def read_rubrics_and_probes(self, root: Path = ROOT, data_dir: Path | None = None) -> None:
        """Read the rubrics and probes in `root/prompts` and in the user's `data_dir`."""
        folders = [root / "prompts", *([] if data_dir is None else [data_dir])]
        self.rubrics, self.rubric_problems = read_rubrics([folder / "judge" for folder in folders])
        self.probes, self.probe_problems = find_probes([folder / "probes" for folder in folders])

    def save(self, demos: DemoSet) -> Path:
        """Save a demonstration set in the user's folder, replacing the user's set with the same name.

        Raises:
            InputError: the name is invalid, or is used by a set that is not one of the user's TOML files.
            OutsideError: the file cannot be written.
        """
        assert self.data_dir is not None
        name = demos.name
        path = save_demo_set(self.data_dir, demos, self.own_sets.get(name), self.demo_sets.get(name))
        self.demo_sets[name] = demos
        self.own_sets[name] = path
        return path

    def ask_for(self, name: str, source: str) -> None:
        """Add a requested adapter from a local folder, or record in `pending` that it must be downloaded from
        the Hub.
        """
        check_adapter_name(name)
        folder = Path(source).expanduser()
        if folder.is_dir():
            self.add(read_adapter(folder, name=name))
        elif folder.is_file():
            raise InputError(
                f"{source} is a file, but an adapter must be a folder in PEFT's format. llama.cpp LoRA files "
                f"are not supported; check the path given for {name!r}."
            )
        elif looks_like_path(source):
            raise InputError(f"There is no adapter folder {source}: check the path given for {name!r}.")
        else:
            self.pending[name] = source

    def add(self, card: AdapterCard) -> None:
        """Add the card of a requested adapter.

        The engine later checks whether the adapter fits the base model by comparing tensor shapes. Names are
        not compared here, because copies of the same base model can have different names.
        """
        # Add before removing, so that a concurrent listing finds the adapter in at least one of the two
        # mappings.
        self.adapters[card.name] = card
        self.pending.pop(card.name, None)

    def pending_sources(self) -> dict[str, str]:
        """Return a copy of `pending`, because the engine thread may modify it while the UI lists adapters."""
        return dict(self.pending)

    def set_base(self, base: str) -> None:
        """Set the base model once a server has said which one it serves."""
        self.base = base
        cards = [*self.adapters.values(), *self.other_adapters.values(), *self.not_served.values()]
        self.adapters, self.other_adapters, self.not_served = {}, {}, {}
        for card in cards:
            self._shelve(card)
        local = _local_source(base, ROOT)
        if local is None:
            self.base_format, self.base_tokenizer = None, ""
        else:
            self.read_base_format(local)

    def _shelve(self, card: AdapterCard) -> None:
        fits = same_model(card.base_model, self.base)
        (self.adapters if fits else self.other_adapters)[card.name] = card

    def demo_set(self, name: str) -> DemoSet:
        """Return a demonstration set by name, or raise InputError listing the available sets."""
        if name not in self.demo_sets:
            if name in self.former_sets:
                raise InputError(f"Demonstration set {name!r} was {self.former_sets[name]}.")
            raise InputError(
                f"There is no demonstration set {name!r}: choose one of {_names(self.demo_sets)}."
            )
        return self.demo_sets[name]

    def default_demo_set(self) -> DemoSet:
        """Return the default demonstration set.

        It comes from the selected preset or, failing that, from the first preset for this base model. If
        neither preset names an available set, `GENERAL_DEMOS` is used.
        """
        if self.preset is not None and self.preset.demos in self.demo_sets:
            return self.demo_sets[self.preset.demos]
        for preset in self.presets:
            if preset.demos in self.demo_sets and same_model(preset.base, self.base):
                return self.demo_sets[preset.demos]
        return self.demo_set(GENERAL_DEMOS)

    def rubric(self, name: str) -> Rubric:
        """Return a rubric by name, or raise InputError listing the available rubrics."""
        if name not in self.rubrics:
            raise InputError(f"There is no rubric {name!r}: choose one of {', '.join(self.rubrics)}.")
        return self.rubrics[name]

    def probe_of(self, messages: Sequence[str]) -> Probe | None:
        """Return the first probe whose user messages begin with exactly the given messages; None if there is
        none.
        """
        return next((probe for probe in self.probes if probe.turns[: len(messages)] == tuple(messages)), None)

    def adapter(self, name: str) -> AdapterCard:
        """Return an adapter's card, or raise InputError listing the adapters for this base model."""
        # Read `pending` only once, before `adapters`, because the engine thread moves an adapter from
        # `pending` to `adapters` once its card has been downloaded.
        source = self.pending.get(name)
        if name in self.adapters:
            return self.adapters[name]
        if name in self.other_adapters:
            made_for = self.other_adapters[name].base_model
            raise InputError(_explain_base(name, made_for, self.base))
        if name in self.refused:
            raise InputError(self.refused[name])
        if name in self.not_served:
            raise InputError(
                f"Adapter {name!r} is not served by the server: load it there, for example with "
                f"--lora-modules {name}=FOLDER on vLLM, or name it with --adapter {name}=SERVED-NAME."
            )
        if source is not None:
            raise InputError(f"Adapter {name!r} is still being downloaded from {source}: try again shortly.")
        raise InputError(f"There is no adapter {name!r}: choose one of {_names(self.adapters)}.")

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """Return the complete chat format of an adapter, or of the base model if `adapter` is None.

        The first call loads the tokenizer. An unreadable template does not raise an error. Instead, the
        reason is stored in `ChatFormat.problem`, so that only the lanes that use the template fail.

        Args:
            adapter: name of an adapter; None for the base model. The adapter's own chat format is used, else
                the format named in its card, else the base model's format.
            template: name of one of the tokenizer's templates; None for the default template.

        Returns:
            The chat format, or None if there is no chat template.

        Raises:
            InputError: the adapter or the template does not exist.
        """
        folder, known = self._format_source(adapter)
        if folder is None:
            if template is not None:
                raise InputError(f"There is no chat template {template!r}: remove the template= option.")
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
        """Return the names that `chat_format` accepts for `template`; () if there are no chat templates."""
        try:
            folder, _ = self._format_source(adapter)
            return () if folder is None else tuple(read_templates(folder))
        except InputError:
            return ()

    def _format_source(self, adapter: str | None) -> tuple[Path | None, ChatFormat | None]:
        """Return the tokenizer folder and the chat format of an adapter or the base model. Either is None if
        it is not known.
        """
        if adapter is not None:
            card = self.adapter(adapter)
            if card.tokenizer:
                return Path(card.tokenizer), None
            if card.chat_format is not None:
                return None, card.chat_format
        return (Path(self.base_tokenizer) if self.base_tokenizer else None), self.base_format


def check_adapter_name(name: str) -> None:
    """Raise InputError if an adapter cannot have this name, with which lanes refer to it."""
    check_name(name, "The adapter name")
    if name in classes_by_name():
        raise InputError(f"The adapter name {name!r} is reserved for a lane: choose another name.")


def _names(table: Mapping[str, object]) -> str:
    return ", ".join(sorted(table)) or "(there are none)"


def _local_source(base: str, root: Path) -> Source | None:
    """Return the location of a local base model; None if `base` is a Hub ID or an invalid path."""
    try:
        source = find_source(base, root)
    except InputError:
        return None
    return source if source.folder is not None else None


def _explain_base(name: str, made_for: str, base: str) -> str:
    """Explain why an adapter made for one base model cannot be used with another, or with an unknown one."""
    if not base:
        return (
            f"Adapter {name!r} cannot be used until the server has said which base model it serves: try "
            "again when it is ready."
        )
    return (
        f"Adapter {name!r} was made for base {made_for!r}, not for {base!r}: restart with --base {made_for}, "
        "or choose another adapter."
    )
