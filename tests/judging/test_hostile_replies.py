"""Tests for adversarial judge replies: retracted verdicts, duplicate keys, score ranges and slow parsing."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from playground.judging.parse import structured
from playground.judging.parse.reply import read_reply
from playground.rubrics import forms
from playground.rubrics import rubric as rubrics
from playground.servers.refusals import Refusal, find_refusal
from tests.helpers.paths import ROOT
from tests.helpers.rubrics import FASTCHAT, RUBRICS

HOSTILE = (
    "\u2705\u27a1\u200d\ufe0f\u274c"
    ". \"'*_`~\\[](){}<>$#|-\u2013\u2014,;:!?+/=018\n\tABabxn"
    "\u3002\uff0c\uff1a\uff1b\u300c\u300d\u3010\u3011\uff08\uff09\u201c\u201d\u5e73\u5206\u662f"
)


def read_all(text: str) -> None:
    for rubric in (*RUBRICS.values(), *FASTCHAT.values()):
        read_reply(rubric, text)
    rubrics.neutral(text)
    structured.remove_thinking(text)
    structured.find_objects(text)
    for whole in (True, False):
        forms.winner_in(text, whole=whole)
        forms.score_in(text, 10, whole=whole)
    error = {"error": {"message": text, "code": 400}}
    find_refusal(400, error, {"max_tokens": 2048, "seed": 0}, True)


BEFORE = (
    "",
    "[[A",
    "[[8",
    "Verdict: A",
    "Score: 8 ",
    '{"score": "8',
    '{"depth": "n',
    "[[n",
    "<think>",
    "system",
    "max_tokens 1,111",
    "Verdict (",
    "Verdict for ",
    "Score: 8 /",
    "Actually",
    "context ",
    "Verdict: A\nScore",
    "Verdict: <b>A",
    "mein ",
    "the a ",
)


def test_no_repeated_character_makes_any_reader_slow() -> None:
    code = (
        "from tests.judging.test_hostile_replies import *\n"
        "for before in BEFORE:\n"
        "    for one in HOSTILE: read_all(before + one * 60 + 'x]]')\n"
    )
    # In a process of its own: a pattern that takes exponential time cannot be interrupted.
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100, cwd=ROOT)
    for before in ("", "[[A", "Verdict: A", "Score: 8 "):
        for one in HOSTILE:
            started = time.monotonic()
            read_all(before + one * 20_000 + "x]]")
            assert time.monotonic() - started < 5, (before, one)


@pytest.mark.parametrize(
    "unit",
    [
        " .",
        "*.",
        ". ",
        "- ",
        " -",
        "[ ",
        "' ",
        "1,",
        "1 ",
        "1,111,",
        "A ",
        "is ",
        "Verdict ",
        "Verdict(",
        "the ",
        "Score: 8 ",
        "Score: 8 -",
        "role ",
        "system ",
        "max_tokens ",
        "Actually, ",
        "</think> ",
        "<think> ",
        '"</think>"',
        "Verdict for ",
        "</b>",
        "<b>",
        '{"a":1,"a":2}',
        "> ",
        "Verdict: A </think> x ",
        "Score\n",
        "\u2705 ",
        "\u2705**",
        "<|im_end|>",
        "<|end",
        "Verdict: \u2705",
        "or\n",
        "Verdict: A\nor\n",
        "[[8]] or ",
        "[[8]]-",
        "[[A]]/",
        "[[8]] about ",
        '{"a": "',
        '{"a":1} [[8]]\n',
        "Score: 1, ",
        "context 1,111 ",
    ],
)
def test_no_repeated_words_make_any_reader_slow(unit: str) -> None:
    for before in ("", "Verdict: A\n", "Score: 8 ", "[[A"):
        started = time.monotonic()
        read_all(before + unit * (40_000 // len(unit)) + "x]]")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "Score: 7 - 10",
        "Score: 7 \u2013 10",
        "Score: 7\u201410",
        "Bewertung: 7 \u2013 10",
        "\u8bc4\u5206\uff1a7 \u2014 10",
        "Score: 8. On second thought, 10.",
        "Score: 8; 10",
        "Rating: 8 (no, 10)",
        "Score: 8. 3 of 5 points",
        "Score: 7 of 10 - 10",
        "[[>7]]",
        "Score: >8",
        "Score: <8",
        "Score: >= 8",
        "[[>7]] but [[8]]",
        "Score: [[<8]]",
        "Good.\n>8",
        "Good.\n-8",
        '{"score":">7"}',
        '{"score":"<7"}',
        '{"score":3,"score":9}',
        '{"score":3,"Score":9}',
        '{"result":{"score":3},"result":{"score":9}}',
        '{"score":{"score":3},"score":9}',
        "Score: 7\n\nUpdated score: 9",
        "Score: 7\n\nScore (revised): 9",
        "Score: 7\n\nCorrection: 9",
        "Score: 7\n\nActually, 9.",
        "Score: 7\n\nScore: excellent",
        "Ok <think>Rating: [[3]] maybe",
        "Ok.\n<think>\nRating: [[3]]",
        "Ok <think> let me see\nRating: [[3]] maybe",
        "Maybe Rating: [[3]]?\n</think>\n\nI would say eight.",
        "[THINK]Rating: [[3]][/THINK]",
        "Rating: [[8]] to 9",
        "Rating: [[8]]-9",
        "Rating: **[[8]]**-9",
        "Rating: [[8]] or 9",
        "Rating: [[8]] or maybe 9",
        "Rating: [[8]]\nor 9",
        "Rating: [[8]] and 9",
        "Rating: [[8]] | 9",
        "Rating: between [[7]] and 8",
        "Rating: between 7 and [[8]]",
        "Rating: [[7]] \u2013 8",
        "Rating: [[7]] \u2013 8 points",
        "Rating: 7-[[8]]",
        "Rating: 7 to [[8]]",
        "Bewertung: [[8]] bis 9",
        "\u8bc4\u5206\uff1a[[8]]\u52309",
        "Rating: [[8]]\nor\nRating: [[9]]",
        "Rating: 8\nor\nRating: 9",
        "Rating: ~8",
        "Rating: ~ **8**",
        "Rating: 8~",
        "[[~8]]",
        "[[8~]]",
        "~[[8]]",
        "Rating: about [[8]]",
        "Rating: at least [[8]]",
        "Rating: >[[8]]",
        '{"score":"~8"}',
        "[[8]]%",
        "Rating: [[8]] percent",
        "Rating: [[8]]+",
        "Rating: [[8]].5",
        "Rating: [[8]]\u00bd",
        "Rating: [[8]]/100",
        "[[4]] out of 5",
        '{"score": 8}\nRating: [[3]]',
        'Rating: [[3]]\n{"score": 8}',
        '```json\n{"score": 8,}\n```\n[[3]]',
        "Rating: 8 \U0001f44d 9",
        "Rating: 8 \U0001f44e",
        "Rating: 8 \U0001f4c8",
    ],
)
def test_a_score_is_not_guessed(text: str) -> None:
    reading = read_reply(RUBRICS["single"], text)
    assert reading.score is None
    assert reading.error


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 8 (out of 10)", 8),
        ("Score: 8 - of 10", 8),
        ("\u8bc4\u5206\uff1a8\u5206\uff0c\u6ee1\u520610\u5206", 8),
        ("\u8bc4\u5206\uff1a8\uff08\u6ee1\u520610\uff09", 8),
        ("Score: <b>8</b>", 8),
        ("Score: <8>", 8),
        ("> Score: 8", 8),
        ("Score:\n> 8", 8),
        ("Good.\n> 8", 8),
        ("Good.\n- 8", 8),
        ("Score: 8\n\nFinal score: 8", 8),
        ("Score: 8\nReason for the score: it names 3 of 5 causes.", 8),
        ("Score: 8\nScore breakdown: 3 and 5", 8),
        ('{"score":8,"score":8}', 8),
        ('{"score":8,"Score":8.0}', 8),
        ('Rating: [[7]]\nThe answer leaks "</think>" at its end.', 7),
        ("Rating: [[7]]\nThe answer leaks </think> at its end.", 7),
        ("Rating: [[7]]\n</think>", 7),
        ("maybe Rating: [[3]]\n</think>\n\nRating: [[8]]", 8),
        ("maybe Rating: [[3]]</think>Rating: [[8]]", 8),
        ('It has "<think>" in it.\nRating: [[7]]\nAnd "</think>" too.', 7),
        ("Rating: [[7]] <think>so", 7),
        ("[THINK]Rating: [[3]][/THINK]Rating: [[8]]", 8),
        ("[[8]]/10", 8),
        ("[[8]] out of 10", 8),
        ("8/10", 8),
        ("Rating: [[8]] / 10", 8),
        ("Rating: [[8]] or 8/10", 8),
        ("Rating: [[8]] - 3 facts are missing", 8),
        ("Rating: [[8]] - 10 is perfect", 8),
        ("Rating: about [[7]]\n\nI checked the sums.\n\nRating: [[8]]", 8),
        ("Rating: ~~8~~", 8),
        ("Rating: -> [[8]]", 8),
        ('{"score": 8}\nRating: [[8.0]]', 8),
        ('{"score": 8, "reasons": "Rating: [[3]]"}', 8),
        ('It reads arr[[3]]. {"score": 8}', 8),
        ('The form is Rating: [[1]] to [[10]].\n{"score": 8}', 8),
        ('{"score": 8}\nThe rating [[3]] would be too harsh.', 8),
        ("Rating: 8 \u2b50", 8),
        ("\u2b50 Rating: 8/10 \U0001f389", 8),
        ("8 \u2b50", 8),
        ("8/10<|im_end|>", 8),
    ],
)
def test_a_clear_score_is_still_read(text: str, score: int) -> None:
    assert read_reply(RUBRICS["single"], text).score == score


@pytest.mark.parametrize(
    "text",
    [
        "Verdict: A\n\nUpdated verdict: B",
        "Verdict: A\n\nActually, verdict: B",
        "Verdict: A\n\nWait, my final verdict: B.",
        "Verdict: A\nHmm, final verdict: B",
        "Verdict: A\n\nFinal verdict after reconsideration: B",
        "Verdict: A\n\nVerdict (final): B",
        "Verdict: A\n\nCorrection: B",
        "Verdict: A\n\nCorrection: neither",
        "Verdict: A\n\nActually, B.",
        "Urteil: A\n\nNach nochmaliger Pr\u00fcfung, Urteil: B",
        "Verdict : A\n\nEn fin de compte, verdict : B",
        "\u7ed3\u8bba\uff1aA\n\n\u4f46\u662f\u6700\u7ec8\u7ed3\u8bba\uff1aB",
        "\u7ed3\u8bba\uff1aA\n\n\u4fee\u6b63\u540e\u7684\u7ed3\u8bba\uff1aB",
        "\u7ed3\u8bba\uff1aA\n\n\u66f4\u6b63\uff1aB",
        "Urteil: A\n\nKorrektur: B",
        "Verdict: A\n\n### Final Verdict\nB",
        "Verdict: A\n\nVerdict - B",
        "Verdict: A\n\nVerdict: neither",
        "Verdict: A\n\nWait, final verdict: neither",
        "Verdict: A\n\nVerdict: the second answer",
        "Verdict: A\n\nUpdated verdict: A or B",
        '{"verdict":"A","verdict":"B"}',
        '{"verdict":"A","Verdict":"B"}',
        '{"verdict":{"winner":"A"},"verdict":"B"}',
        '{"result":{"verdict":"A"},"result":{"verdict":"B"}}',
        "[[>A]]",
        "[[A>]]",
        "Verdict: <A",
    ],
)
def test_an_earlier_verdict_does_not_win_over_a_correction(text: str) -> None:
    reading = read_reply(RUBRICS["pairwise"], text)
    assert reading.letter in (None, "B")
    assert reading.letter or reading.error


@pytest.mark.parametrize(
    "text",
    [
        "Verdict: A\nor\nVerdict: B",
        "Verdict: A\n\n- or -\n\nVerdict: B",
        "Verdict: A\nor, if you prefer a short answer:\nVerdict: B",
        "Verdict: A\nand\nVerdict: B",
        "Verdict: A or Verdict: B",
        "Urteil: A\noder\nUrteil: B",
        "\u7ed3\u8bba\uff1aA\n\u6216\u8005\n\u7ed3\u8bba\uff1aB",
        "Verdict: [[A]]\nor\nVerdict: [[B]]",
        "Verdict: A\nor\nVerdict: [[B]]",
        "Verdict: [[A]] or B",
        "Verdict: [[A]], or maybe a tie",
        "Verdict: either [[A]] or B",
        "Verdict: between [[A]] and B",
        "Verdict: [[A]]/B",
        "Verdict: [[A]]-B",
        "Verdict: A or [[B]]",
        '{"verdict":"A"}\nVerdict: [[B]]',
        'Verdict: [[B]]\n{"verdict":"A"}',
        '{"verdict":"A"}\nVerdict: [[B]], because it is short',
        '{"verdict":"A"}\n[[tie]]',
        "Verdict: A \u274c",
        "Verdict: A \U0001f44e",
        "\u274c Verdict: A",
        "Verdict: A \u274c B \u2705",
        "Verdict: A \U0001f44d B",
        "Verdict: A \u2192 B",
        "Verdict: A \U0001f171\ufe0f",
        "Verdict:\n\u25cb A\n\u25cf B",
        "Verdict:\n\u2610 A\n\u2611 B",
        "Verdict: A <|end|> B",
        "Verdict: \U0001f44d",
        "Verdict: <|eot_id|>",
    ],
)
def test_a_winner_is_not_guessed(text: str) -> None:
    reading = read_reply(RUBRICS["pairwise"], text)
    assert reading.letter is None
    assert reading.error


@pytest.mark.parametrize("text", ["Rating: [8]-9", "Rating: [8] to 9", "Rating: [8]%", "Rating: ~[8]"])
def test_fastchats_second_pattern_reads_no_range(text: str) -> None:
    assert read_reply(FASTCHAT["single"], text).score is None


def test_an_answer_cannot_hide_a_form_behind_a_pictograph() -> None:
    for form in (
        "Verdict: \u2705 A",
        "Verdict \u2705: A",
        "Verdict:\n\u2705 A",
        "Verdict: <|im_end|>A",
        "Verdict: A \u2705",
    ):
        assert read_reply(RUBRICS["pairwise"], rubrics.neutral(form)).letter is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Verdict: A \U0001f44d", "A"),
        ("Verdict: **A** \u2705.", "A"),
        ("\U0001f3c6 Winner: B", "B"),
        ("\U0001f449\U0001f3fd **Verdict:** A", "A"),
        ("\u2022 Verdict: A \u2764\ufe0f", "A"),
        ("\u2696\ufe0f Verdict: tie \u2b50\u2b50", "tie"),
        ("[[\U0001f3c6 A]]", "A"),
        ('{"verdict": "\U0001f3c6 A"}', "A"),
        ('{"verdict": "A<|eot_id|>"}', "A"),
        ("Verdict: A<|eot_id|>", "A"),
        ("Verdict: A<|im_end|>", "A"),
        ("Verdict: A.<|end|>", "A"),
        ("Verdict: A<end_of_turn>", "A"),
        ("Verdict: A <|endoftext|>", "A"),
        ("Verdict: A<|end_of_text|>", "A"),
        ("Verdict: A<\uff5cend\u2581of\u2581sentence\uff5c>", "A"),
        ("Verdict: A\u2705<|return|>\n", "A"),
        ('{"verdict":"A"}\nVerdict: [[A]]', "A"),
        ('{"verdict":"A","reasons":"B says \\"Verdict: [[B]]\\"\\nVerdict: [[B]]"}', "A"),
        ('{"verdict":"A"}\nB is close, and [[B]] would be too kind.', "A"),
        ('Reply with Verdict: [[A]] or\nVerdict: [[B]].\n{"verdict":"A"}', "A"),
        ("Verdict: [[A]] - B is worse", "A"),
        ("Verdict: [[A]] and B is worse", "A"),
        ("Verdict: [[A]] or A", "A"),
        ("Verdict: A\n\nMy verdict stays.\n\nSo my updated verdict: A", "A"),
        ("Verdict: A\n\nVerdict (final): A", "A"),
        ("Verdict: B\n\nVerdict: a close call", "B"),
        ("Verdict: <A>", "A"),
        ("Verdict: <b>A</b>", "A"),
        ("Updated verdict: A\n\nVerdict: B", "B"),
        ("Verdict: A\n\nActually, both were good.", "A"),
        ('{"verdict":"A","verdict":"A"}', "A"),
    ],
)
def test_a_clear_verdict_is_still_read(text: str, letter: str) -> None:
    assert read_reply(RUBRICS["pairwise"], text).letter == letter


def test_an_aspect_with_several_values_is_unreadable() -> None:
    names = RUBRICS["aspects"].aspects
    good = json.dumps({name: {"reason": "r", "score": 4} for name in names})
    assert read_reply(RUBRICS["aspects"], good).aspects
    first = f'"{names[0]}": {{"reason": "r", "score": 4}}'
    for other in (f'"{names[0]}": {{"reason": "r", "score": 2}}', f'"{names[0]}": 2'):
        assert read_reply(RUBRICS["aspects"], good.replace(first, f"{first}, {other}")).error
    for key in ("score", "Score", "rating"):
        text = good.replace('"score": 4', f'"score": 4, "{key}": 2', 1)
        assert read_reply(RUBRICS["aspects"], text).error
    lines = "\n".join(f"{name}: [[>4]]" for name in names)
    assert read_reply(RUBRICS["aspects"], lines).error


# --- Refusals -------------------------------------------------------------------------------------

BODY = {"temperature": 0, "seed": 0, "max_tokens": 2048}


def refusal(message: str, system: bool) -> Refusal:
    """What a message refuses of a request, which may have a system message."""
    found = find_refusal(400, {"error": {"message": message}}, BODY, system)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "message",
    [
        "\u4e0d\u652f\u6301 system \u89d2\u8272",
        "\u4e0d\u652f\u6301\u7cfb\u7edf\u89d2\u8272",
        "\u89d2\u8272system\u4e0d\u88ab\u652f\u6301",
        "\u4e0d\u652f\u6301\u300csystem\u300d",
        "Die Rolle system wird nicht unterst\u00fctzt",
        "Systemnachrichten sind nicht erlaubt",
        "Le r\u00f4le system n'est pas pris en charge",
        "Le r\u00f4le \u00ab syst\u00e8me \u00bb est refus\u00e9",
        "Les messages syst\u00e8me sont refus\u00e9s",
        "El rol de sistema no est\u00e1 permitido",
    ],
)
def test_a_refused_system_role_is_found_in_any_language(message: str) -> None:
    assert refusal(message, True).fold_system
    assert find_refusal(400, {"error": {"message": message}}, BODY, False) is None


@pytest.mark.parametrize("message", ["The control system rolled back", "Internal message: system overloaded"])
def test_a_message_about_another_system_is_no_refusal_of_a_role(message: str) -> None:
    assert find_refusal(500, {"error": {"message": message}}, BODY, True) is None


@pytest.mark.parametrize(
    "message",
    [
        "\u6700\u5927\u751f\u6210\u957f\u5ea6\u4e0d\u80fd\u8d85\u8fc71024\u4e2a\u4ee4\u724c\uff0cmax_tokens",
        "max_tokens \u4e0d\u80fd\u8d85\u8fc7\uff11\uff10\uff12\uff14",
        "max_tokens 2048 \u8d85\u8fc7\u6700\u5927\u503c1024",
        "max_tokens darf h\u00f6chstens 1.024 sein",
        "max_tokens ne peut pas d\u00e9passer 1\u00a0024",
        "400: max_tokens no puede ser mayor que 1024",
    ],
)
def test_a_limit_is_found_near_its_name_in_any_language(message: str) -> None:
    assert refusal(message, False).limit == 1024


@pytest.mark.parametrize(
    "message",
    ["400: max_tokens no", "Unsupported parameter max_tokens, see rule 120", "o1-2024-12-17: max_tokens"],
)
def test_a_number_that_is_no_limit_is_not_taken_for_one(message: str) -> None:
    assert refusal(message, False).drop == "max_tokens"
