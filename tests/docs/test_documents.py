"""No document has a block that a test passes over, a file that no command uses, or a link that leads nowhere."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.docs.blocks import DOCUMENTS, PAGES, README, ROOT, RefusedBlockError, Use, blocks

pytestmark = pytest.mark.unit

GUIDE = ROOT / "docs/guide"
LINKED = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "runbooks").glob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_block_is_run_or_says_why_not(document: Path) -> None:
    blocks(document)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\npytest features\n```", "nothing says whether"),
        ("    pytest features\n", "nothing says whether"),
        ("```sh\npytest features\n```", "nothing says whether"),
        ("```console\n$ pytest features\n```", "nothing says whether"),
        ("```bash later\npytest features\n```", "wants a reason"),
        ("```bash not-run\npytest features\n```", "wants a reason"),
        ("```bash not-run:\npytest features\n```", "wants a reason"),
        ("```text\n$ make drill\n```", "text block with a command"),
        ("```text\npytest features     every drill\n```", "text block with a command"),
        ("```python not a file\n1\n```", "nothing says whether"),
    ],
)
def test_a_block_that_says_nothing_is_refused(text: str, why: str) -> None:
    with pytest.raises(RefusedBlockError, match=why):
        blocks(README, text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_file_of_a_document_is_used_by_a_command_below_it(document: Path) -> None:
    assert unused(document) == []


def test_a_file_that_no_command_uses_is_seen() -> None:
    text = "```bash\npytest features\n```\n```yaml inventories/x/hosts.yml\nall:\n```\n"
    assert unused(README, text) == ["inventories/x/hosts.yml"]


def unused(document: Path, text: str | None = None) -> list[str]:
    """The files below which a document has no command that runs."""
    waiting: list[str] = []
    for block in blocks(document, text):
        if block.use is Use.WRITE and block.file is not None:
            waiting.append(block.file)
        elif block.use in {Use.RUN, Use.RUN_ON_MACHINES}:
            waiting.clear()
    return waiting


# ---- links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", LINKED, ids=name_of)
def test_each_link_leads_somewhere(document: Path) -> None:
    assert astray(document, document.read_text(encoding="utf-8")) == []


def test_a_link_that_leads_nowhere_is_seen() -> None:
    text = "[a](docs/guide/steps.md) [b](docs/guide/stepz.md) [c](docs/guide/steps.md#no-such-part) [d](#limits)"
    assert astray(README, text) == ["docs/guide/stepz.md", "docs/guide/steps.md#no-such-part", "#limits"]


def test_the_index_links_each_page() -> None:
    linked = {target.partition("#")[0] for target in links((GUIDE / "README.md").read_text(encoding="utf-8"))}
    assert {path.name for path in PAGES} - {"README.md"} <= linked


def astray(document: Path, text: str) -> list[str]:
    """Links of a document to a file or a heading that is not there."""
    wrong = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        source = (
            text
            if file == document
            else file.read_text(encoding="utf-8")
            if file.suffix == ".md" and file.is_file()
            else ""
        )
        if not file.exists() or (anchor and anchor not in anchors(source)):
            wrong.append(target)
    return wrong


def links(text: str) -> list[str]:
    """The targets of all links and pictures that stay in the repository."""
    inline = [child for token in MarkdownIt().enable("table").parse(text) for child in token.children or []]
    targets = [str(token.attrs.get("href") or token.attrs.get("src") or "") for token in inline]
    return [target for target in targets if target and not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    tokens = MarkdownIt().enable("table").parse(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {slug(heading) for heading in headings}


def slug(heading: str) -> str:
    """A heading as GitHub's anchor: letters, digits, `-` and `_` in lower case, spaces as `-`."""
    kept = [sign for sign in heading.lower() if sign in "-_ " or unicodedata.category(sign)[0] in "LN"]
    return "".join(kept).replace(" ", "-")
