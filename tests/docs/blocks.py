"""The code blocks of the user documents, and what their info strings promise.

The rule: whoever reads a block knows from its first line whether a test runs it. A block that is neither run nor says
why not is refused. The info strings:

    bash                    run in the repository that README.md builds; exit status 0
    bash status=N           the same; exit status N
    bash collect            the same, but pytest only collects: which drills the command chooses is what it shows
    bash checkout           run in a copy of Drillbook's own repository
    bash hosts              run on machines, by tests/hosts
    bash not-run: REASON    not run
    python                  run
    yaml, ini               parsed
    gherkin                 its sentences are those of Drillbook's own steps
    LANGUAGE FILE           written into the repository that README.md builds, for the commands below it
    text                    output, or a picture of folders; it holds no command
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs/guide").glob("*.md"))
BY_HAND = ROOT / "docs/verify-by-hand.md"
"""Its commands need signed evidence: test_by_hand.py makes it, and runs them."""
DOCUMENTS = [README, ROOT / "docs/evidence.md", ROOT / "docs/verify.md", BY_HAND, *PAGES]

_COMMAND = re.compile(r"^\s*(?:\$ |(?:pytest|drillbook|make|pip|python3?|ansible(?:-\w+)?|export|cd) )", re.MULTILINE)
_STATUS = re.compile(r"status=(\d+)")
_NOT_RUN = re.compile(r"not-run: \S.*\S")
_FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.\w+")


class Use(StrEnum):
    """What a test does with a block."""

    RUN = "run"
    RUN_IN_CHECKOUT = "run in the checkout"
    RUN_ON_MACHINES = "run on machines"
    NOT_RUN = "not run"
    WRITE = "write"
    RUN_PYTHON = "run by Python"
    PARSE = "parse"
    COLLECT = "collect"
    SHOW = "show"


class RefusedBlockError(ValueError):
    """A block that does not say what is to be done with it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a document, with its exit status, whether pytest only collects in it, and the file that it becomes."""

    document: Path
    line: int
    language: str
    use: Use
    text: str
    status: int = 0
    collect: bool = False
    file: str | None = None

    @property
    def where(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks(document: Path, text: str | None = None) -> list[Block]:
    """All code blocks of a document. Raises RefusedBlockError for one that says nothing of its use."""
    tokens = MarkdownIt().parse(document.read_text(encoding="utf-8") if text is None else text)
    return [
        _block(document, (token.map or [0])[0] + 1, token.info.strip(), token.content)
        for token in tokens
        if token.type in {"fence", "code_block"}
    ]


def _block(document: Path, line: int, info: str, text: str) -> Block:
    language, _, rest = info.partition(" ")
    where = f"{document.name}:{line}"
    match language:
        case "bash":
            return _commands(document, line, rest, text)
        case "text":
            command = _COMMAND.search(text)
            if rest or command:
                raise RefusedBlockError(f"{where}: a text block with a command is not run: make it bash: {command}")
            return Block(document, line, language, Use.SHOW, text)
        case "python" | "yaml" | "ini" | "gherkin":
            if not rest:
                use = {"python": Use.RUN_PYTHON, "gherkin": Use.COLLECT}.get(language, Use.PARSE)
                return Block(document, line, language, use, text)
            if _FILE.fullmatch(rest):
                return Block(document, line, language, Use.WRITE, text, file=rest)
    raise RefusedBlockError(f"{where}: nothing says whether this block is run: {info!r}")


def _commands(document: Path, line: int, rest: str, text: str) -> Block:
    if rest in {"", "checkout"}:
        return Block(document, line, "bash", Use.RUN_IN_CHECKOUT if rest else Use.RUN, text)
    if rest == "hosts":
        return Block(document, line, "bash", Use.RUN_ON_MACHINES, text)
    if rest == "collect":
        return Block(document, line, "bash", Use.RUN, text, collect=True)
    if status := _STATUS.fullmatch(rest):
        return Block(document, line, "bash", Use.RUN, text, int(status[1]))
    if _NOT_RUN.fullmatch(rest):
        return Block(document, line, "bash", Use.NOT_RUN, text)
    raise RefusedBlockError(f"{document.name}:{line}: 'not-run' wants a reason (bash not-run: REASON): {rest!r}")
