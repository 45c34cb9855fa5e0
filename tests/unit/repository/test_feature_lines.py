"""Nothing of a feature is silently something else than it looks like: keywords that are prose, blanks that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.repository.feature_file import read_feature

pytestmark = pytest.mark.unit

LOST = "begins like the keyword"


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a feature of this text, each as `line: sentence`."""
    path = tmp_path / "x.feature"
    path.write_text(text, encoding="utf-8")
    return [f"{each.line}: {each.message}" for each in read_feature(path).problems]


def scenario(line: str, language: str = "") -> str:
    """A scenario with this line above its first step, on line 3 (4 with a language)."""
    if language == "de":
        return f"# language: de\nFunktionalität: F\n  Szenario: S\n{line}\n    Angenommen es geht\n"
    return f"Feature: F\n  Scenario: S\n{line}\n    Given it works\n"


@pytest.mark.parametrize(
    ("line", "keyword"),
    [
        ("    given the other site is healthy", "Given"),
        ("    GIVEN the other site is healthy", "Given"),
        ("    Given: the other site is healthy", "Given"),
        ("    Given\u00a0the other site is healthy", "Given"),
        ("    Given\u3000the other site is healthy", "Given"),
        ("    \u200bGiven the other site is healthy", "Given"),
        ("    Gi\u00adven the other site is healthy", "Given"),
        ("    \uff27iven the other site is healthy", "Given"),
        ("    given\tthe other site is healthy", "Given"),
        ("    given", "Given"),
        ("    *the other site is healthy", "*"),
        ("    and the other site is healthy", "And"),
        ("    background:", "Background:"),
        ("    Examples :", "Examples:"),
        ("    scenario\uff1a another", "Scenario:"),
        ("    - Given the other site is healthy", "Given"),
        ("    (Given the other site is healthy)", "Given"),
        ("    1. Given the other site is healthy", "Given"),
        ("    \u2022 And the other site is healthy", "And"),
        ("    - [ ] Given the other site is healthy", "Given"),
        ("    > (Given the other site is healthy)", "Given"),
        ('    """\n    given the other site is healthy', "Given"),
    ],
)
def test_a_description_that_begins_like_a_keyword_is_refused(tmp_path: Path, line: str, keyword: str) -> None:
    (said,) = problems(tmp_path, scenario(line))
    assert said.startswith(f"{3 + line.count(chr(10))}: '{line.splitlines()[-1].strip()}' {LOST} '{keyword}', and is")


@pytest.mark.parametrize(
    ("line", "keyword"),
    [
        ("    angenommen es geht noch", "Angenommen"),
        ("    Gegeben  sei etwas", "Gegeben sei"),
        ("    wenn: etwas", "Wenn"),
        ("    hintergrund:", "Hintergrund:"),
        ("    Given it works", "Given"),
    ],
)
def test_the_keywords_are_those_of_the_language_and_of_english(tmp_path: Path, line: str, keyword: str) -> None:
    (said,) = problems(tmp_path, scenario(line, "de"))
    assert said.startswith(f"4: '{line.strip()}' {LOST} '{keyword}'")


@pytest.mark.parametrize(
    "first", ["scenario: A", "Scenario : A", "Scenario\u00a0: A", "SCENARIO OUTLINE: A", "example: A", "Rule\uff1a A"]
)
def test_a_file_whose_first_scenario_is_lost_is_refused(tmp_path: Path, first: str) -> None:
    text = f"Feature: F\n  {first}\n    it breaks\n  Scenario: B\n    Given it works\n"
    (said,) = problems(tmp_path, text)
    assert said.startswith("2: ")
    assert LOST in said


def test_the_steps_of_a_scenario_whose_head_has_no_colon_are_not_lost(tmp_path: Path) -> None:
    said = problems(tmp_path, "Feature: F\n  Scenario A\n    Given it works\n  Scenario: B\n    Given it works\n")
    assert [each.partition(":")[0] for each in said] == ["3"]


@pytest.mark.parametrize(
    "line",
    [
        "    It happens at night, given some load.",
        "    Andes and Whenever are no keywords.",
        "    # given this comment",
        "    Examples are below.",
        "    - given as an item",
        "    (given that nobody looks)",
        "    - Givens are no keyword.",
        "    2026 And so on.",
    ],
)
def test_prose_is_prose(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, scenario(line)) == []


def test_bullets_below_the_feature_and_text_below_a_step_are_no_steps(tmp_path: Path) -> None:
    text = (
        "Feature: F\n  * an item\n  - When it is dark\n  (And so on)\n"
        '  Scenario: S\n    Given it works\n      """\n      given\u00a0this text\n      """\n'
    )
    assert problems(tmp_path, text) == []


# ------------------------------------------------------------------ blanks and what nobody sees


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert problems(tmp_path, "\ufeff" + scenario("")) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Feature: F\n  Scenario: S\n    Given it\u00a0works\n", "3: column 13 has U+00A0 (NO-BREAK SPACE)"),
        ("Feature: F\n  Scenario: S\n    Given it works\u200b\n", "3: column 19 has U+200B (ZERO WIDTH SPACE)"),
        (
            "Feature: F\n  Scenario: S\n    Given it\ufeff works\n",
            "3: column 13 has U+FEFF (ZERO WIDTH NO-BREAK SPACE)",
        ),
        ("Feature: F\n  Scenario: S\u2009T\n    Given it works\n", "2: column 14 has U+2009 (THIN SPACE)"),
        ("@a\u200b\nFeature: F\n  Scenario: S\n    Given it works\n", "1: column 3 has U+200B (ZERO WIDTH SPACE)"),
        (
            "Feature: F\n  Scenario: S\n    Given it works\n      | a\u202eb |\n",
            "4: column 10 has U+202E (RIGHT-TO-LEFT OVERRIDE)",
        ),
        ("Feature: F\n  Scenario: S\n    Given it\u200dworks\n", "3: column 13 has U+200D (ZERO WIDTH JOINER)"),
        ("Feature: F\n  Scenario: S\n    Given it\x1bworks\n", "3: column 13 has U+001B (a control character)"),
        ("Feature: F\n  Scenario: S\n    Given it\u2028works\n", "3: column 13 has U+2028 (LINE SEPARATOR)"),
    ],
)
def test_a_blank_that_is_no_space_is_named_with_its_column(tmp_path: Path, text: str, place: str) -> None:
    (said,) = problems(tmp_path, text)
    assert said.startswith(f"{place}, which looks like")


def test_it_is_named_beside_the_syntax_error_that_it_makes(tmp_path: Path) -> None:
    said = problems(tmp_path, "\u200bFeature: F\n  Scenario: S\n    Given it works\n")
    assert any(each.startswith("1: column 1 has U+200B (ZERO WIDTH SPACE)") for each in said)


@pytest.mark.parametrize("text", ["Text with\u00a0one.", "# A comment with\u200b one."])
def test_in_prose_nobody_minds_a_blank(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, f"Feature: F\n  {text}\n  Scenario: S\n    Given it works\n") == []


def test_a_joiner_within_a_word_of_its_script_is_none_of_them(tmp_path: Path) -> None:
    text = "Feature: F\n  Scenario: \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\n    Given it works\n"
    assert problems(tmp_path, text) == []
