"""Digests of what a drill is made of: those of the text, and of nothing that differs between checkouts."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from drillbook.evidence.artefacts import Digests, clauses, digest, digest_of_folder
from drillbook.repository.lint.runbooks import anchors
from tests.support import ROOT

pytestmark = pytest.mark.unit

TEXT = b"- hosts: all\n  tasks: []\n"
RUNBOOK = """# Redis

## How it shows

It is red.

```bash
# no heading
```

### In the log

Lines.

## Start Redis ##

Start it.

## Start Redis

Again. {#no}

## By name {#mine}
"""


def test_a_digest_is_what_sha256sum_says_and_takes_line_ends_as_git_keeps_them() -> None:
    assert digest(TEXT) == hashlib.sha256(TEXT).hexdigest() == digest(TEXT.replace(b"\n", b"\r\n"))
    picture = b"\x89PNG\r\n\0"
    assert digest(picture) == hashlib.sha256(picture).hexdigest()
    assert digest(TEXT) != digest(TEXT + b" ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tasks/main.yml", "tasks/a-b.yml", "Z.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(TEXT + name.encode())
    return tmp_path


def test_the_digest_of_a_folder_is_what_an_auditor_gets_by_hand(folder: Path) -> None:
    by_hand = "find . -type f | cut -c3- | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c-64"
    done = subprocess.run(["bash", "-c", by_hand], cwd=folder, capture_output=True, text=True, check=True)
    assert digest_of_folder(folder) == done.stdout.strip()


def test_what_differs_between_checkouts_is_no_part_of_it(folder: Path) -> None:
    before = digest_of_folder(folder)
    (folder / "Z.yml").chmod(0o755)
    os.utime(folder / "Z.yml", (1, 1))
    for left in ("__pycache__/x.pyc", ".DS_Store", "Z.yml~", "tasks/.main.yml.swp"):
        (folder / left).parent.mkdir(exist_ok=True)
        (folder / left).write_bytes(b"x")
    assert digest_of_folder(folder) == before
    (folder / "new.yml").touch()
    assert digest_of_folder(folder) != before


def test_a_file_is_read_again_when_it_has_changed(folder: Path) -> None:
    digests = Digests(folder)
    assert digests.of("Z.yml") == digest(TEXT + b"Z.yml")
    (folder / "Z.yml").write_bytes(TEXT)
    assert digests.of("Z.yml") == digest(TEXT)
    (folder / "Z.yml").unlink()
    assert digests.of("Z.yml") is None
    assert digests.of("tasks") is None


def test_a_clause_lasts_until_the_next_heading_of_its_level() -> None:
    found = clauses(RUNBOOK)
    assert found["how-it-shows"] == (
        "## How it shows\n\nIt is red.\n\n```bash\n# no heading\n```\n\n### In the log\n\nLines.\n"
    )
    assert found["in-the-log"] == "### In the log\n\nLines.\n"
    assert found["start-redis"].endswith("Start it.\n")
    assert found["start-redis-1"].endswith("Again. {#no}\n")
    assert found["mine"] == found["by-name"] == "## By name {#mine}\n"
    assert set(found) == anchors(RUNBOOK)
    assert clauses(RUNBOOK.replace("\n", "\r\n")) == found


def test_a_clause_changes_with_its_text_alone(tmp_path: Path) -> None:
    path = tmp_path / "redis.md"
    path.write_text(RUNBOOK)
    digests = Digests(tmp_path)
    before = digests.of_clause("redis.md", "start-redis"), digests.of_clause("redis.md", "how-it-shows")
    assert None not in before
    path.write_text(RUNBOOK.replace("It is red.", "It is green."))
    assert digests.of_clause("redis.md", "start-redis") == before[0]
    assert digests.of_clause("redis.md", "how-it-shows") not in {None, before[1]}
    assert digests.of_clause("redis.md", "nowhere") is None
    assert digests.of_clause("none.md", "nowhere") is None


@pytest.mark.parametrize("runbook", sorted((ROOT / "runbooks").glob("*.md")), ids=lambda each: each.name)
def test_the_clauses_of_our_runbooks_are_those_that_lint_knows(runbook: Path) -> None:
    text = runbook.read_text(encoding="utf-8")
    assert set(clauses(text)) == anchors(text)
