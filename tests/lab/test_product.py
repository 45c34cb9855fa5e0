"""The product's repository and its releases: the same commits each time, and what the lab lays out of them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.requests import Request
from starlette.responses import Response

from drillbook_lab.app.api.release import Release, guarded
from drillbook_lab.app.api.switches import Switches
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.logs import Log
from drillbook_lab.lifecycle.parts import history, releases

from .support import ROOT

pytestmark = pytest.mark.unit

_SPEC = importlib.util.spec_from_file_location("release_folder", ROOT / "playbooks/library/release_folder.py")
assert _SPEC is not None and _SPEC.loader is not None
release_folder: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(release_folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """The repository, and its commits by the folders of their sources."""
    repository = tmp_path_factory.mktemp("git") / "origin.git"
    return repository, history.make(repository)


@pytest.fixture
def site(made: tuple[Path, Mapping[str, str]], tmp_path: Path) -> Path:
    """A site on which the stable release is live."""
    releases.lay_out(tmp_path, history.STABLE_FOLDER, made[1])
    return tmp_path


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "--git-dir", repository, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_commits_are_the_same_each_time(made: tuple[Path, Mapping[str, str]], tmp_path: Path) -> None:
    assert history.make(tmp_path / "again.git") == made[1]
    assert git(made[0], "rev-parse", history.STABLE, "main").split() == [made[1][history.STABLE_FOLDER]] * 2
    assert git(made[0], "fsck", "--strict") == ""


def test_each_bad_release_is_one_of_them(made: tuple[Path, Mapping[str, str]]) -> None:
    branches = git(made[0], "for-each-ref", "--format=%(refname:short)", "refs/heads/bad").split()
    assert sorted(history.BAD.values()) == sorted(branches)


def test_what_lies_on_disk_is_what_git_has(made: tuple[Path, Mapping[str, str]], site: Path) -> None:
    live = site / "current"
    assert live.resolve().name == made[1][history.STABLE_FOLDER]
    names = git(made[0], "ls-tree", "-r", "--name-only", history.STABLE).splitlines()
    for name in names:
        assert (live / name).read_text() == git(made[0], "show", f"{history.STABLE}:{name}")
    built = json.loads((live / "build.json").read_text())
    assert (built["version"], built["commit"]) == ("1.1.0", live.resolve().name)
    assert (live / "frontend/dist" / built["assets"]["app.js"]).is_file()


def test_without_git_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="there is no git here: install it"):
        history.make(tmp_path / "origin.git")


def test_a_folder_that_is_not_built_is_no_release(site: Path) -> None:
    (site / "current/build.json").unlink()
    with pytest.raises(ValueError, match="is not a release that was built"):
        Release(site)


def test_whatever_a_release_raises_is_an_answer_and_a_line_of_the_log() -> None:
    async def broken(_: Request) -> Response:
        raise KeyError("owner")

    async def without_database(_: Request) -> Response:
        raise psycopg.OperationalError("gone")

    async def without_column(_: Request) -> Response:
        raise psycopg.errors.UndefinedColumn("name")

    log = Log(echo=False)
    nobody: Any = None
    answers = [
        asyncio.run(guarded(each, "/projects", log)(nobody)) for each in (broken, without_column, without_database)
    ]
    assert [each.status_code for each in answers] == [500, 500, 503]
    assert [each["message"] for each in log.last("error")] == ["/projects failed", "/projects cannot be answered"]


def test_flags_are_read_again_when_they_change(tmp_path: Path) -> None:
    switches = Switches(tmp_path)
    assert (switches.flag("search", True), switches.flag("search", False)) == (True, False)
    (tmp_path / "flags").mkdir()
    for said, on in (("off\n", False), ("on", True), ("neither", True)):
        (tmp_path / "flags/search").write_text(said)
        assert switches.flag("search", True) is on


# -- the module that deploys ------------------------------------------------


def deploy(site: Path, repository: Path, ref: str, state: str | None, keep: int = 5) -> dict[str, Any]:
    """What the module `release_folder` answers; builds as the lab's inventory says."""
    asked = {"site": site, "repository": repository, "origin": None, "ref": ref, "keep": keep}
    build = [sys.executable, "build.py", "build"]
    found = release_folder.Site({**asked, "install": [sys.executable, "build.py", "install"], "build": build})
    answer: dict[str, Any] = release_folder.work(found, state, False)
    return answer


def test_a_release_is_built_then_live_and_once_more_changes_nothing(
    made: tuple[Path, Mapping[str, str]], site: Path
) -> None:
    repository, commits = made
    with pytest.raises(release_folder.RefusedError, match="is not built"):
        deploy(site, repository, "v1.1.1", "live")
    assert [deploy(site, repository, "v1.1.1", "built")["changed"] for _ in range(2)] == [True, False]
    assert (site / "current").resolve().name == commits["v1_1_0"]
    first, second = (deploy(site, repository, "v1.1.1", "live") for _ in range(2))
    assert (first["changed"], first["was_live"], second["changed"]) == (True, commits["v1_1_0"], False)
    live = Release(site)
    assert (live.version, live.commit) == ("1.1.1", commits["v1_1_1"])
    # the oldest goes when there is no room; the one from before stays, for whoever goes back
    deploy(site, repository, "bad/slow", "built")
    assert deploy(site, repository, "bad/slow", "live", keep=1)["removed"] == [commits["v1_1_0"]]


def test_a_release_that_does_not_build_is_not_there(made: tuple[Path, Mapping[str, str]], site: Path) -> None:
    repository, commits = made
    with pytest.raises(release_folder.RefusedError, match=r"api/search\.py does not compile"):
        deploy(site, repository, "bad/build-fails", "built")
    assert [each.name for each in (site / "releases").iterdir()] == [commits["v1_1_0"]]
    with pytest.raises(release_folder.RefusedError, match="has no commit 'v9'"):
        deploy(site, repository, "v9", None)
