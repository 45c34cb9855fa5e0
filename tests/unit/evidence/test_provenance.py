"""Which software and which commit: versions that are there, and a commit where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drillbook.evidence import provenance
from drillbook.evidence.provenance import git_state, harness

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both answers are kept for a process; and git looks at nothing but the folder."""
    git_state.cache_clear()
    harness.cache_clear()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(root: Path, *words: str) -> str:
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    return subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("old")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout(checkout: Path) -> None:
    (checkout / "evidence").touch()
    assert git_state(checkout) == {"commit": git(checkout, "rev-parse", "HEAD").strip(), "dirty": False}


def test_a_changed_one_says_so(checkout: Path) -> None:
    (checkout / "file").write_text("new")
    assert git_state(checkout)["dirty"] is True


def test_no_checkout_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == {}


def test_no_git_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) == {}


def test_a_commit_whose_state_is_unknown_is_not_clean(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = provenance._git
    monkeypatch.setattr(provenance, "_git", lambda root, *words: None if "status" in words else asked(root, *words))
    assert git_state(checkout)["dirty"] is None


def test_the_versions_of_what_took_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("pytest", "no-such-package"))
    found = harness()
    assert found["pytest"] == pytest.__version__
    assert found["no-such-package"] == "not installed"
    assert set(found) == {"python", "os", "pytest", "no-such-package"}
