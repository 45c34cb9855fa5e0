"""Whether each tag `@runbook:FILE#ANCHOR` names a file below runbooks/ and a place in it.

The rule: anchors are GitHub's. Take the heading in lower case; keep only letters, marks, digits, `_`, `-` and spaces;
write `-` for each space; append `-1`, `-2` to an anchor that exists above. Explicit ones (`<a id="...">`, `{#...}`)
count too. mdit-py-plugins makes other anchors of headings with combining marks (Hindi, many accents), and is not used
for that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from drillbook.evidence.artefacts import next_anchor
from drillbook.model.tags import tag_values
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding

_ID = re.compile(r"""<\w+[^>]*\s(?:id|name)\s*=\s*["']?([^"'\s>]+)""")
_ATTRIBUTE = re.compile(r"\s*\{#([^\s}]+)[^}]*\}\s*$")


def check(repository: Repository) -> Iterator[Finding]:
    """One finding for each line of a feature with a tag that leads nowhere."""
    known = {path.removeprefix("runbooks/"): anchors(text) for path, text in repository.runbooks.items()}
    for path, text in repository.texts.items():
        used = {tag for each in repository.scenarios if each.path == path for tag in each.tags}
        for value in tag_values(used, "runbook"):
            problem = _problem(value, known)
            if problem is not None:
                code = "no-anchor" if "#" in value and value.partition("#")[0] in known else "no-runbook"
                for line in _lines_with(f"@runbook:{value}", text):
                    yield Finding(path, line, code, f"@runbook:{value}: {problem}")


def _problem(value: str, known: dict[str, frozenset[str]]) -> str | None:
    file, has_anchor, anchor = value.partition("#")
    if file not in known:
        there = ", ".join(sorted(known)) or "none"
        return f"there is no runbooks/{file} (there: {there})"
    if has_anchor and anchor not in known[file]:
        near = difflib.get_close_matches(anchor, known[file], 1, 0.5)
        hint = f"; the nearest is #{near[0]}" if near else ""
        return f"runbooks/{file} has no heading or anchor #{anchor}{hint}"
    return None


def _lines_with(tag: str, text: str) -> list[int]:
    return [
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if line.lstrip().startswith("@") and tag in line.split()
    ]


def anchors(markdown: str) -> frozenset[str]:
    """Every anchor in a Markdown text that `#...` may lead to."""
    found: set[str] = set()
    before: dict[str, int] = {}
    tokens = MarkdownIt("commonmark").parse(markdown)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        for each in (token, *(token.children or ())):
            if each.type in ("html_block", "html_inline"):
                found |= set(_ID.findall(each.content))
        if token.type == "heading_open" and following is not None:
            explicit = _ATTRIBUTE.search(following.content)
            if explicit is not None:
                found.add(explicit[1])
            found.add(next_anchor(_ATTRIBUTE.sub("", _text(following)), before))
    return frozenset(found)


def _text(inline: Token) -> str:
    """The text that a heading shows: without marks, links' addresses, images and tags."""
    return "".join(each.content for each in inline.children or () if each.type in ("text", "code_inline"))
