"""Branches: what the module does to them, what a lease keeps, and what a push deploys."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.lifecycle.parts import history, hosting, releases
from drillbook_lab.web.hosting import main as deploy
from tests.support import ROOT

pytestmark = pytest.mark.unit

Do = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def module() -> Any:
    spec = importlib.util.spec_from_file_location("git_branch", ROOT / "playbooks" / "library" / "git_branch.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """The lab's repository, and its commits by the folders of their sources."""
    repository = tmp_path_factory.mktemp("git") / "origin.git"
    return repository, history.make(repository)


@pytest.fixture
def repository(made: tuple[Path, Mapping[str, str]], tmp_path: Path) -> Path:
    """One of the test's own."""
    return shutil.copytree(made[0], tmp_path / "origin.git")


@pytest.fixture
def do(module: Any, repository: Path) -> Do:
    """The module, on main."""
    given = dict.fromkeys(("ref", "seen", "file", "content", "message"))
    given |= {"branch": "main", "author": "A <a@example.org>", "keep": "refs/drillbook/before", "state": "read"}

    def run(**asked: object) -> dict[str, Any]:
        asked.setdefault("clone", str(repository.with_name("clone")))
        found: dict[str, Any] = module.work({**given, "url": str(repository), **asked}, False)
        return found

    return run


def colleague(do: Do, beside: Path) -> str:
    """Pushes a commit after the bad one; the clone does not know of it."""
    do(state="saved")
    do(state="pushed", ref="bad/errors")
    notes = {"file": "NOTES.md", "content": "x", "message": "Notes"}
    return str(do(state="committed", clone=str(beside), **notes)["tip"])


def test_a_commit_is_reverted_once_and_nothing_is_lost(do: Do, tmp_path: Path) -> None:
    theirs = colleague(do, tmp_path / "colleague")
    first = do(state="reverted", ref="bad/errors")
    assert (first["changed"], first["before"]) == (True, theirs)
    assert not do(state="reverted", ref="bad/errors")["changed"]
    assert (tmp_path / "clone/NOTES.md").exists()
    assert (tmp_path / "clone/VERSION").read_text() == "1.1.0\n"


def test_a_lease_keeps_what_a_colleague_has_pushed(do: Do, tmp_path: Path) -> None:
    theirs, stable = colleague(do, tmp_path / "colleague"), do()["kept"]
    held = do(state="reset", ref=history.STABLE, seen="bad/errors")
    assert (held["refused"], held["tip"]) == (True, theirs)
    forced = do(state="reset", ref=history.STABLE)
    assert (forced["refused"], forced["changed"], forced["tip"]) == (False, True, stable)
    assert not do(state="reset", ref=history.STABLE)["changed"]


def test_a_lease_lets_pass_what_nobody_has_changed(do: Do) -> None:
    stable = do()["tip"]
    do(state="pushed", ref="bad/errors")
    done = do(state="reset", ref=history.STABLE, seen="bad/errors")
    assert (done["refused"], done["tip"]) == (False, stable)


def test_a_branch_is_put_back_and_twice_is_as_once(do: Do, tmp_path: Path) -> None:
    stable = do()["tip"]
    assert do(state="saved")["kept"] == stable
    do(state="pushed", ref="bad/errors")
    assert do(state="saved")["kept"] == stable
    done = do(state="restored")
    assert (done["changed"], done["tip"], done["kept"], (tmp_path / "clone").exists()) == (True, stable, "", False)
    assert not do(state="restored")["changed"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"state": "reverted", "ref": "nobody"}, "has no commit 'nobody'"),
        ({"branch": "nobody"}, "has no branch 'nobody'"),
        ({"author": "nobody"}, "write it as NAME <MAIL>"),
        ({"url": "/nowhere"}, "git ls-remote /nowhere .* ended with 128"),
    ],
)
def test_what_git_refuses_is_said(do: Do, module: Any, asked: dict[str, str], said: str) -> None:
    with pytest.raises(module.RefusedError, match=said):
        do(**asked)


def test_a_push_is_deployed_and_one_that_does_not_build_is_not(
    made: tuple[Path, Mapping[str, str]], tmp_path: Path
) -> None:
    repository, commits = made
    site, log = tmp_path / "site", tmp_path / "hosting.log"
    releases.lay_out(site, history.STABLE_FOLDER, commits)
    config = {
        "python": sys.executable,
        "sites": [str(site)],
        "restart": ["true"],
        "purge": {"url": "http://127.0.0.1:9/*", "token": "t"},
        "log": str(log),
    }
    live = site / "current"
    for ref, commit in [
        ("refs/heads/other", "errors"),
        ("refs/heads/main", "build_fails"),
        ("refs/heads/main", "errors"),
    ]:
        deploy(config, repository, [f"{'0' * 40} {commits[commit]} {ref}\n"])
        went_live = live.resolve().name == commits["errors"]
        assert went_live == ((ref, commit) == ("refs/heads/main", "errors"))
    failed, unpurged = map(json.loads, log.read_text().splitlines())
    assert "does not compile" in failed["error"]
    assert unpurged["error"].startswith("the CDN is not purged")
    assert not (site / "releases" / commits["build_fails"]).exists()


def test_the_hook_is_for_its_owner_alone(repository: Path) -> None:
    hosting.install(repository, "/a python", {"log": "x"})
    hook = repository / "hooks" / "post-receive"
    assert hook.stat().st_mode & 0o777 == 0o700
    assert repository.with_name("hosting.json").stat().st_mode & 0o777 == 0o600
    assert "exec '/a python' -P -m drillbook_lab.web.hosting" in hook.read_text()
