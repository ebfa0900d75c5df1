"""Tokenise prompts for a server, and decide in what form to send them so that it reads exactly these tokens.

A tokenizer on this machine gives exact tokens. Without one, the server's own ``/tokenize`` is asked. If the
server has none, token counts are estimated.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from playground.engine.remote.discovery import PLAIN, Server, count_beginning, count_tokens
from playground.engine.remote.pieces import locate_pieces
from playground.engine.remote.transport import StreamDamagedError, post_json
from playground.types import Prompt, StopRule, Token
from playground.words import count_things

if TYPE_CHECKING:
    import openai

    from playground.engine.tokenizer import Tokenizer

KEPT = 256
"""Number of texts whose tokens are remembered."""
PROBE = "Caf\u00e9 \u96ea: 3.14 \u2260 1,000\n\n# Query:\n```python\nprint('a\tb')\n```\n  End. \U0001f600"
"""Text that different tokenizers split differently, to check that two are equal."""


@dataclass(frozen=True, kw_only=True)
class SentPrompt:
    """A prompt in the form in which it is sent to a server."""

    fields: dict[str, Any]
    """The request field ``prompt`` and the fields that determine how it is tokenised."""
    count: int | None
    """Number of tokens that the server reads; None if it is not known."""
    notes: tuple[str, ...] = ()
    """A sentence for each difference between the prompt and what the server reads."""


@dataclass(kw_only=True)
class PromptTokens:
    """Tokenisation of prompts for one server."""

    client: openai.AsyncOpenAI
    server: Server
    tokenizer: Tokenizer | None = None
    """The model's tokenizer, if there is one on this machine."""
    mismatch: str | None = None
    """How the tokenizer on this machine differs from the server's, if it does and is therefore not used."""
    bos_texts: tuple[str, ...] = ()
    """Texts of the BOS tokens of the known chat formats."""
    control_texts: tuple[str, ...] = ()
    """Texts of the known control tokens."""
    appended: int = 0
    """Number of tokens, such as EOS, that the server appends to a prompt to which it adds special tokens."""
    _known: OrderedDict[Any, list[Token] | None] = field(default_factory=OrderedDict)

    @property
    def is_exact(self) -> bool:
        """Whether tokens are known exactly, rather than estimated."""
        return self.tokenizer is not None or bool(self.server.kind.tokenizes)

    def describe(self) -> str:
        """Describe where the tokens of prompts are known from."""
        if self.tokenizer is not None:
            return "the tokenizer on this machine, which equals the server's on a test text"
        if self.server.kind.tokenizes:
            return "the server"
        return "estimates, because the server does not tokenise text"

    async def tokenize(self, prompt: Prompt) -> list[Token] | None:
        """Return the tokens that the server reads for a prompt, or None if they cannot be determined.

        Raises:
            openai.APIError: the server cannot be reached, or reports an error.
        """
        if self.tokenizer is not None:
            return self.tokenizer.tokens(prompt)
        key = prompt.text, prompt.bos, prompt.control_tokens
        if key not in self._known:
            found = await self._ask_server(prompt)
            self._known[key] = found
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    async def check_end(self) -> None:
        """Find out whether the server appends tokens, such as EOS, to prompts."""
        if self.tokenizer is None and self.server.kind.tokenizes == "vllm":
            plain, whole = [await self._ask_vllm(Prompt(text=PLAIN, bos=bos)) for bos in (False, True)]
            last = plain[-1:] and plain[-1].id
            ids = [token.id for token in whole]
            self.appended = ids[::-1].index(last) if last in ids else 0

    async def _ask_server(self, prompt: Prompt) -> list[Token] | None:
        if self.server.kind.tokenizes == "vllm":
            return await self._ask_vllm(prompt)
        if self.server.kind.tokenizes == "llama.cpp":
            return await self._ask_llama_cpp(prompt)
        return None

    async def _ask_vllm(self, prompt: Prompt) -> list[Token]:
        body = {
            "model": self.server.base.id,
            "prompt": prompt.text,
            "add_special_tokens": self._adds_special(prompt),
            "return_token_strs": True,
        }
        answer = await post_json(self.client, f"{self.server.root_url}/tokenize", body)
        ids = answer.get("tokens") if isinstance(answer, dict) else None
        if not _are_ids(ids):
            raise StreamDamagedError
        pieces = answer.get("token_strs")
        if not isinstance(pieces, list) or len(pieces) != len(ids):
            pieces = [""] * len(ids)
        if self.appended and self._adds_special(prompt):
            ids, pieces = ids[: -self.appended], pieces[: -self.appended]
        starts = locate_pieces(prompt.text, [str(piece) for piece in pieces])
        return [
            Token(id=id, piece=str(piece), start=start)
            for id, piece, start in zip(ids, pieces, starts, strict=True)
        ]

    async def _ask_llama_cpp(self, prompt: Prompt) -> list[Token]:
        body = {
            "content": prompt.text,
            "add_special": self._adds_special(prompt),
            "parse_special": prompt.control_tokens,
            "with_pieces": True,
        }
        answer = await post_json(self.client, f"{self.server.root_url}/tokenize", body)
        entries = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise StreamDamagedError
        # A piece that is not valid UTF-8 is a list of bytes.
        pieces = [entry.get("piece") for entry in entries]
        texts = [piece if isinstance(piece, str) else bytes(piece or ()) for piece in pieces]
        ids = [entry.get("id") for entry in entries]
        if not _are_ids(ids):
            raise StreamDamagedError
        starts = locate_pieces(prompt.text, texts)
        shown = [text if isinstance(text, str) else text.decode("utf-8", "replace") for text in texts]
        return [
            Token(id=id, piece=piece, start=start)
            for id, piece, start in zip(ids, shown, starts, strict=True)
        ]

    # --- What to send -----------------------------------------------------------------------------

    async def prepare(self, prompt: Prompt) -> SentPrompt:
        """Return the form in which a prompt is sent, so that the server reads exactly its tokens.

        Text is preferred, because routers and logs can read it. Token ids are sent if the server would
        tokenise the text differently, for example because it reads ``</s>`` in a message as a control token.
        """
        kind = self.server.kind
        ids = await self._find_ids(prompt)
        if kind.adds_special_tokens:
            as_text = {"prompt": prompt.text, "add_special_tokens": self._adds_special(prompt)}
            if ids is None or ids == self._text_ids(prompt, ids):
                return SentPrompt(fields=as_text, count=_length(ids), notes=self._control_notes(prompt))
            return SentPrompt(fields={"prompt": ids, "add_special_tokens": False}, count=len(ids))
        if ids is not None and kind.takes_token_ids:
            notes = () if kind.tokenizes == "llama.cpp" else self._control_notes(prompt)
            return SentPrompt(fields={"prompt": ids}, count=len(ids), notes=notes)
        text, notes = self._adapt_beginning(prompt)
        return SentPrompt(fields={"prompt": text}, count=_length(ids), notes=notes)

    async def _find_ids(self, prompt: Prompt) -> list[int] | None:
        """Return the ids of `tokenize`, without the texts and positions that only the page shows."""
        if self.tokenizer is not None:
            return self.tokenizer.encode(prompt)
        tokens = await self.tokenize(prompt)
        return None if tokens is None else [token.id for token in tokens]

    def _adds_special(self, prompt: Prompt) -> bool:
        """Return whether the server is to prepend tokens such as BOS to a prompt."""
        written = prompt.control_tokens and any(prompt.text.startswith(bos) for bos in self.bos_texts)
        return prompt.bos and not written

    def _text_ids(self, prompt: Prompt, ids: Sequence[int]) -> Sequence[int]:
        """Return the ids that the server reads if it gets the prompt as text."""
        if self.tokenizer is None:
            # These ids come from the server, without what it appends.
            return ids if not (self.appended and self._adds_special(prompt)) else ()
        return self.tokenizer.encode_plainly(prompt.text, add_special_tokens=self._adds_special(prompt))

    def _control_notes(self, prompt: Prompt) -> tuple[str, ...]:
        """Return a note if the server reads text of the prompt as control tokens against the prompt's will.

        With a tokenizer, such prompts are sent as token ids.
        """
        if self.tokenizer is not None or prompt.control_tokens:
            return ()
        found = [text for text in self.control_texts if text in prompt.text]
        if not found:
            return ()
        return (
            f"{self.server.kind.name} reads {', '.join(found)} in this prompt as control tokens: give the "
            "model's tokenizer with --tokenizer to send them as plain text.",
        )

    def _adapt_beginning(self, prompt: Prompt) -> tuple[str, tuple[str, ...]]:
        """Return the text to send to a server that decides itself whether to prepend tokens such as BOS."""
        text, adds = prompt.text, self.server.begins
        written = next((bos for bos in self.bos_texts if bos and text.startswith(bos)), "")
        if adds and written:
            return text.removeprefix(written), ()
        if adds == 0 and prompt.bos and not written and self.bos_texts:
            return self.bos_texts[0] + text, ()
        notes: tuple[str, ...] = ()
        if adds and not prompt.bos:
            notes = ("The server prepends a token such as BOS to this prompt.",)
        if adds is None:
            notes = ("It is not known whether the server prepends a BOS token to this prompt.",)
        return text, notes

    async def find_stop_ids(self, rule: StopRule) -> tuple[frozenset[int], tuple[str, ...]]:
        """Look up the tokens of a stop rule in the server's vocabulary.

        Returns:
            The ids, and the texts that end an answer as stop sequences, because they are not known to be
            single tokens that never occur in the text.
        """
        ids, texts = set(), []
        for text in filter(str.strip, rule.tokens):
            if self.tokenizer is not None:
                token = self.tokenizer.token_id(text)
                (ids.add(token) if token is not None else texts.append(text))
                continue
            texts.append(text)
            tokens = await self.tokenize(Prompt(text=text, bos=False, control_tokens=True))
            if tokens is not None and len(tokens) == 1:
                ids.add(tokens[0].id)
        return frozenset(ids), tuple(texts)

    async def check_tokenizer(self) -> None:
        """Compare the tokenizer on this machine with the server's, and drop it if they differ."""
        if self.tokenizer is not None:
            self.mismatch = await self._find_mismatch(self.tokenizer)
            if self.mismatch is not None:
                self.tokenizer = None

    async def _find_mismatch(self, tokenizer: Tokenizer) -> str | None:
        prompt = Prompt(text=PROBE, bos=False, control_tokens=True)
        own = tokenizer.encode_plainly(PROBE, add_special_tokens=False)
        if self.server.kind.tokenizes:
            theirs = [token.id for token in await self._ask_server(prompt) or ()]
            if own != theirs:
                return _describe_mismatch(len(own), len(theirs))
            return None
        body = {"model": self.server.base.id, "prompt": PROBE, "max_tokens": 1, "temperature": 0}
        count, begins = await count_tokens(self.client, body), self.server.begins or 0
        if count is not None and count - begins != len(own):
            return _describe_mismatch(len(own), count - begins)
        return None


async def open_tokens(
    client: openai.AsyncOpenAI, server: Server, tokenizer: Tokenizer | None
) -> PromptTokens:
    """Prepare the tokenisation of prompts for a server, asking it once how it tokenises them.

    Args:
        tokenizer: the tokenizer on this machine that may be the model's; it is only used if it is.

    Raises:
        openai.APIError: the server cannot be reached, or reports an error.
    """
    if not server.kind.adds_special_tokens and not server.kind.takes_token_ids:
        plain = 1 if tokenizer is None else len(tokenizer.encode_plainly(PLAIN, add_special_tokens=False))
        server = dataclasses.replace(server, begins=await count_beginning(client, server, plain))
    tokens = PromptTokens(client=client, server=server, tokenizer=tokenizer)
    await tokens.check_tokenizer()
    await tokens.check_end()
    return tokens


def _describe_mismatch(here: int, there: int) -> str:
    return f"a test text has {count_things(here, 'token')} here and {count_things(there, 'token')} there"


def _are_ids(ids: Any) -> TypeGuard[list[int]]:
    return isinstance(ids, list) and all(type(id) is int and id >= 0 for id in ids)


def _length(ids: Sequence[int] | None) -> int | None:
    return None if ids is None else len(ids)
