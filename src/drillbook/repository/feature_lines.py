"""Finds lines of a feature that are not what they look like: a keyword that Gherkin reads as prose, a blank that is no
space.

The rule: a line that a reader takes for a step, a scenario or a blank is never silently something else. Gherkin keeps
an unknown line as a description where one may stand: its check would vanish.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from gherkin.dialect import Dialect

_COLONS = ":\ua789\u2236"
_JOINERS = "\u200c\u200d"
"""Characters that stand within words of some scripts, and within emoji."""
_MARKED = re.compile(r"(?:(?:\[[ xX]\]|[-+>(\[{\"'`~\u00ab\u2010-\u2015\u2018\u201c\u2022\u00b7\u2192]|\d+[.)])\s*)+")
"""What stands before an item of a list, or opens a bracket or a quotation."""
_FENCES = ('"""', "```")
_ANY_LANGUAGE = "en"
"""The language whose keywords everybody knows, and may write by mistake."""


def lost_lines(text: str, document: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Each line (from 1) of a description that begins like a keyword, with the sentence that refuses it."""
    kept = _lines_of(document["feature"])
    dialects = [Dialect.for_name(name) for name in {document["feature"]["language"], _ANY_LANGUAGE}]
    steps_follow = _where_steps_follow(document["feature"])
    for number, line in _read(text, kept):
        if number in kept or not line.strip():
            continue
        inside = steps_follow.get(max((at for at in steps_follow if at < number), default=0), False)
        keyword = next((found for each in dialects if each and (found := _keyword(line, each, bullets=inside))), None)
        if keyword is not None:
            sentence = (
                f"'{line.strip()}' begins like the keyword '{keyword}', and is only a description here: nothing of it "
                "would run. Write the keyword as the language has it, or begin the line with another word"
            )
            yield number, sentence


def stray_characters(text: str, document: Mapping[str, Any] | None) -> Iterator[tuple[int, str]]:
    """Each blank that is no space, and each invisible character, where Gherkin reads more than prose.

    `document` is None for a text that is no Gherkin: then every line is checked.
    """
    kept = None if document is None else _lines_of(document["feature"])
    for number, line in _read(text, kept):
        if kept is not None and number not in kept:
            continue
        for column, character in enumerate(line, start=1):
            if _is_stray(line, column - 1):
                name = unicodedata.name(character, "a control character")
                what = f"column {column} has U+{ord(character):04X} ({name})"
                yield number, f"{what}, which looks like a space or is invisible: write a space, or remove it"


def _read(text: str, kept: set[int] | None) -> Iterator[tuple[int, str]]:
    """The lines outside of comments and doc strings; a fence in a description opens no doc string."""
    fence: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if fence is not None:
            fence = None if bare.startswith(fence) else fence
            continue
        if kept is None or number in kept:
            fence = next((each for each in _FENCES if bare.startswith(each)), None)
        if not bare.startswith("#"):
            yield number, line


def _lines_of(node: object) -> set[int]:
    """The lines on which Gherkin found something: headers, tags, steps, tables, doc strings."""
    match node:
        case {"location": {"line": int(line)}, **rest}:
            return {line}.union(*map(_lines_of, rest.values()))
        case dict():
            return set().union(*map(_lines_of, node.values()))
        case list():
            return set().union(*map(_lines_of, node))
    return set()


def _where_steps_follow(feature: Mapping[str, Any]) -> dict[int, bool]:
    """The line of each header, and whether steps may stand below it."""
    found = {feature["location"]["line"]: False}
    for child in feature["children"]:
        for kind, node in child.items():
            if kind == "rule":
                found |= _where_steps_follow(node)
            else:
                found[node["location"]["line"]] = True
                found |= {each["location"]["line"]: False for each in node.get("examples", ())}
    return found


def _keyword(line: str, dialect: Dialect, *, bullets: bool) -> str | None:
    """The keyword that the line begins like: in any case, behind any blank, with any colon."""
    said = _plain(line)
    for keyword in _headers(dialect):
        rest = said.removeprefix(_plain(keyword))
        if rest != said and rest.lstrip()[:1] == ":":
            return f"{keyword}:"
    for keyword in _steps(dialect):
        if keyword.strip() == "*":
            if bullets and said.startswith("*"):
                return "*"
            continue
        if bullets and _is_marked(line, keyword):
            return keyword.strip()
        rest = said.removeprefix(_plain(keyword))
        # a keyword that ends in a blank is a word of its own: 'andes' is no 'and'
        if rest != said and not (keyword.endswith(" ") and rest[:1].isalnum()):
            return keyword.strip()
    return None


def _is_marked(line: str, keyword: str) -> bool:
    """Whether the line begins with the very keyword behind a bullet or a bracket: `- Given x`, `(Given x)`."""
    bare = line.strip()
    mark = _MARKED.match(bare)
    rest = "" if mark is None else bare[mark.end() :]
    return rest.startswith(keyword.strip()) and not rest.removeprefix(keyword.strip())[:1].isalnum()


def _headers(dialect: Dialect) -> list[str]:
    return [
        *dialect.feature_keywords,
        *dialect.rule_keywords,
        *dialect.background_keywords,
        *dialect.scenario_outline_keywords,
        *dialect.scenario_keywords,
        *dialect.examples_keywords,
    ]


def _steps(dialect: Dialect) -> list[str]:
    return [
        *dialect.given_keywords,
        *dialect.when_keywords,
        *dialect.then_keywords,
        *dialect.and_keywords,
        *dialect.but_keywords,
    ]


def _plain(text: str) -> str:
    """The text as people read it: one case, blanks as one space, one kind of colon, and no invisible characters."""
    seen = (" " if character.isspace() else character for character in text if not _is_unseen(character))
    plain = unicodedata.normalize("NFKC", "".join(seen)).casefold()
    return " ".join("".join(":" if each in _COLONS else each for each in plain).split())


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or (
        unicodedata.category(character) == "Cc" and not character.isspace()
    )


def _is_stray(line: str, at: int) -> bool:
    character = line[at]
    if character in _JOINERS:
        around = line[at - 1 : at] + line[at + 1 : at + 2]
        return len(around) < 2 or any(each.isascii() for each in around)
    if character in " \t":
        return False
    return _is_unseen(character) or character.isspace() or unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc"}
