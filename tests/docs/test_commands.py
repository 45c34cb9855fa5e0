"""What a user copies from the documents works: commands run, files are used, examples of Python and YAML are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import BY_HAND, DOCUMENTS, PAGES, README, Block, RefusedBlockError, Use, blocks
from tests.docs.conftest import ten_minutes
from tests.docs.shell import CommandError, Shell, served_copy

pytestmark = pytest.mark.lab


def has_code(document: Path) -> bool:
    """Whether a document has a block that the test uses; one that is refused fails where it is read."""
    try:
        return any(block.use not in {Use.SHOW, Use.NOT_RUN} for block in blocks(document))
    except RefusedBlockError:
        return True


WITH_CODE = [document for document in DOCUMENTS if document != BY_HAND and has_code(document)]


class Reader:
    """Goes through a document from top to bottom, and does with each block what its info string says.

    The sentences of a block have been collected before, with those of all documents; `collected` is what that said.
    """

    def __init__(self, repository: Shell, own: Shell, collected: str = "") -> None:
        self.repository = repository
        self.own = own
        self.collected = collected

    def read(self, block: Block) -> str:
        """Raises CommandError when the block does not do what it says. Gives what it printed."""
        match block.use:
            case Use.RUN:
                return self.repository.run(block)
            case Use.RUN_IN_CHECKOUT:
                return self.own.run(block)
            case Use.WRITE:
                self.repository.write(block)
            case Use.RUN_PYTHON:
                return self.repository.run(self._command(block, f"python - <<'END'\n{block.text}END"))
            case Use.PARSE:
                if block.language == "yaml":
                    yaml.safe_load(block.text)
            case Use.COLLECT:
                return self._collect(block)
        return ""

    def _collect(self, block: Block) -> str:
        found = f"{feature_of(block)}::"
        if not any(line.startswith(found) for line in self.collected.splitlines()):
            raise CommandError(f"{block.where}: pytest collects nothing of it:\n{self.collected}")
        return found

    @staticmethod
    def _command(block: Block, text: str) -> Block:
        return Block(block.document, block.line, "bash", Use.RUN, text)


@contextmanager
def reader(built: tuple[Shell, str], own: Shell, tmp_path: Path, collected: str = "") -> Iterator[Reader]:
    with served_copy(built[0], tmp_path / "repository") as repository:
        yield Reader(repository, own, collected)


def feature_of(block: Block) -> str:
    """The feature in which the sentences of a block are collected."""
    return f"features/of_{block.document.stem.replace('-', '_')}_{block.line}.feature"


def collect(own: Shell, of: Iterable[Block]) -> str:
    """What pytest says of all sentences of these blocks. Each is one of Drillbook's own: pytest refuses a feature with
    any other, and lists those beside it.
    """
    names = []
    for block in of:
        text = block.text
        if "Scenario:" not in text:
            text = f"Scenario: Sentences of the guide\n{text}"
        if "Feature:" not in text:
            text = f"Feature: An example of the guide\n{text}"
        names.append(feature_of(block))
        (own.root / names[-1]).write_text(text, encoding="utf-8")
    if not names:
        return ""
    command = f"pytest --collect-only -q {' '.join(names)} || true"  # a twin of a document has a wrong sentence
    return own.run(Block(README, 0, "bash", Use.RUN, command))


@pytest.fixture(scope="module")
def collected(own_checkout: Shell) -> str:
    """What one pytest says of the sentences of all documents."""
    return collect(own_checkout, [block for each in WITH_CODE for block in blocks(each) if block.use is Use.COLLECT])


def not_printed(shown: str, printed: str) -> list[str]:
    """The lines of a shown output that were not printed; numbers and the folder of the evidence differ each time."""
    said = {without_numbers(line) for line in printed.splitlines()}
    return [line for line in shown.splitlines() if line.strip() != "..." and without_numbers(line) not in said]


def without_numbers(line: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "N", re.sub(r"\d{8}T\d{6}Z-(.*)-[0-9a-f]{6}$", r"\1", line)).strip()


def test_the_readme_makes_a_repository_whose_drill_prints_what_it_shows(built: tuple[Shell, str]) -> None:
    shell, printed = built
    (shown,) = [block for block in blocks(README) if block.use is Use.SHOW and "on my-staging" in block.text]
    assert "PASSED" in shown.text
    assert not_printed(shown.text, printed) == []
    assert (shell.root / "evidence").is_dir()


def test_a_line_that_is_shown_and_not_printed_is_seen(built: tuple[Shell, str]) -> None:
    wrong = "  NOT_RECOVERED: recovered in 1.3 s of an RTO of 60 s"
    assert not_printed(f"  ...\n{wrong}\n    valid yes, recovered yes, restored yes", built[1]) == [wrong]


@pytest.mark.parametrize("document", WITH_CODE, ids=lambda path: path.name if path in PAGES else path.stem)
def test_each_block_of_a_document_does_what_it_says(
    document: Path, built: tuple[Shell, str], own_checkout: Shell, collected: str, tmp_path: Path
) -> None:
    done = []
    with reader(built, own_checkout, tmp_path, collected) as document_reader:
        for block in blocks(document):
            if block not in ten_minutes():  # `built` has run these
                document_reader.read(block)
            done.append(block.use)
    assert set(done) - {Use.SHOW, Use.NOT_RUN}


UNNAMED = (
    "- name: A task has no name\n  hosts: web\n  gather_facts: false\n  tasks: [ansible.builtin.debug: {msg: x}]\n"
)


def test_ansible_lint_has_nothing_to_say_of_the_playbooks_that_the_documents_show(
    built: tuple[Shell, str], own_checkout: Shell, tmp_path: Path
) -> None:
    """But for the one that is added here."""
    with served_copy(built[0], tmp_path / "repository") as copy:
        shell = Shell(copy.root, own_checkout.tools, copy.state, copy.port)
        for block in (block for each in WITH_CODE for block in blocks(each) if str(block.file).startswith("playbooks")):
            shell.write(block)
        (shell.root / "playbooks/recovery/unnamed.yml").write_text(UNNAMED)
        command = "drillbook lint --strict"
        said = shell.run(Block(README, 0, "bash", Use.RUN, command, status=1))
    found = [line for line in said.splitlines() if " ansible-lint: " in line]
    assert len(found) == 1, said
    assert found[0].startswith("playbooks/recovery/unnamed.yml:4: ") and "[name[missing]]" in found[0]


# ---- the twins: what a wrong document looks like ----------------------------------------------------------------


WRONG_INVENTORY = """\
```yaml inventories/other/hosts.yml
all:
  hosts: {web-1: {}}
  vars:
    drillbook_environment: {name: other, kind: stagin}
```
```bash
drillbook lint --inventory inventories/other
```
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```bash collect\npytest features/rolback.feature\n```", "not found: features/rolback.feature"),
        ("```bash\npytest features --alow-production my-staging\n```", "unrecognized arguments: --alow-production"),
        ("```bash status=11\ndrillbook lint\n```", "status 0, not 11"),
        ("```bash checkout\ndrillbook lnit\n```", "No such command 'lnit'"),
        ("```python\nfrom drillbook.checks import At, lookd\n```", "cannot import name 'lookd'"),
        ("```gherkin\nGiven the system is helthy\n```", "'Given the system is helthy' is not defined"),
        (
            "```python steps/more.py\nfrom drillbok import given\n```\n```bash\npytest --collect-only features\n```",
            "No module named 'drillbok'",
        ),
        (
            WRONG_INVENTORY,
            "has to be one of lab, staging, production",
        ),
    ],
)
def test_a_wrong_block_is_seen(
    text: str, why: str, built: tuple[Shell, str], own_checkout: Shell, tmp_path: Path
) -> None:
    with (
        reader(built, own_checkout, tmp_path) as document_reader,
        pytest.raises(CommandError, match=re.escape(why)),
    ):
        wrong = blocks(README, text)
        document_reader.collected = collect(own_checkout, [block for block in wrong if block.use is Use.COLLECT])
        for block in wrong:
            document_reader.read(block)


def test_yaml_that_is_none_is_seen(built: tuple[Shell, str], own_checkout: Shell, tmp_path: Path) -> None:
    (block,) = blocks(README, "```yaml\nweb: [\n```")
    with reader(built, own_checkout, tmp_path) as document_reader, pytest.raises(yaml.YAMLError):
        document_reader.read(block)
