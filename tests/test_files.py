"""Tests for reading text files, including the error messages for unreadable files."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.files import first_line, read_json, read_toml
from playground.types import InputError

LONG = "9" * 5_000


@pytest.mark.parametrize(
    "text", [f"a = {LONG}", f"a = -{LONG}", f"a = 0x{'f' * 5_000}", f"[[b]]\na = [{LONG}]"]
)
def test_a_number_of_thousands_of_digits_in_toml_is_told_in_plain_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_toml(path)
    assert str(raised.value) == f"{path} is not valid TOML: it has a number of more than 4,300 digits."


def test_a_number_of_thousands_of_digits_in_json_is_told_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(f'{{"a": [{LONG}]}}')
    with pytest.raises(InputError) as raised:
        read_json(path)
    assert str(raised.value) == f"{path} is not valid JSON: it has a number of more than 4,300 digits."


def test_a_librarys_error_does_not_pass_on_pythons_advice() -> None:
    with pytest.raises(ValueError, match="set_int_max_str_digits") as raised:
        int(LONG)
    assert first_line(raised.value) == "it has a number of more than 4,300 digits"
