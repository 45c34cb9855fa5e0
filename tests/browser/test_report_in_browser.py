"""A real browser opens the report: nothing is fetched, nothing is complained about, nothing runs off the page.

Chromium is spoken to over its own debugging pipe (NUL-ended JSON on file descriptors 3 and 4): no driver is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drillbook.evidence.render.html.page import report

EXAMPLE = Path(__file__).parents[1] / "data" / "drill_example"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]


class Browser:
    """One tab. `events` is what it reported: requests, console messages, violations of the page's policy."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._left = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        self._tab: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._tab = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._tab:
            message["sessionId"] = self._tab
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "chromium does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "chromium ended"
            self._left += part
        line, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, path: Path) -> None:
        """Go to a file and wait until all of it is there."""
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next(deadline))

    def js(self, expression: str) -> Any:
        """What an expression is in the page (the debugger may ask, though the page's policy forbids scripts)."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def look(self, width: int, *, dark: bool = False) -> None:
        """Be a screen of this width and scheme."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)

    def screenshot(self, target: Path) -> bytes:
        """The whole page as PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        target.write_bytes(base64.b64decode(data))
        return target.read_bytes()

    def pdf(self, target: Path) -> bytes:
        """The page as it is printed."""
        data = self.ask("Page.printToPDF", preferCSSPageSize=True)["data"]
        target.write_bytes(base64.b64decode(data))
        return target.read_bytes()

    def requests(self) -> list[str]:
        """Everything that the page asked for but itself."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return urls[1:]

    def complaints(self) -> list[str]:
        """Console messages, exceptions and log entries."""
        kinds = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]


@contextmanager
def _running(profile: Path) -> Iterator[Browser]:
    assert CHROMIUM is not None
    to_browser, from_browser = os.pipe(), os.pipe()
    # the shell puts the pipes where chromium looks for them: 3 to read, 4 to write
    words = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    with subprocess.Popen(
        ["bash", "-c", words, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_browser[0])
        os.close(from_browser[1])
        try:
            yield Browser(from_browser[0], to_browser[1])
        finally:
            process.terminate()
            process.wait(timeout=20)
            os.close(to_browser[1])
            os.close(from_browser[0])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with _running(tmp_path_factory.mktemp("chromium-profile")) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "drill"
    shutil.copytree(EXAMPLE / "content", folder / "content")
    return report(folder)


def test_the_report_opens_offline_and_in_silence(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.look(1280)
    browser.open(page)
    assert browser.js("document.title") == "PASSED: The network between the API and Redis is cut"
    picture = browser.screenshot(tmp_path / "report.png")
    assert picture.startswith(b"\x89PNG")
    assert browser.requests() == []
    assert browser.complaints() == []


def test_a_page_that_reaches_out_is_noticed(browser: Browser, tmp_path: Path) -> None:
    """The twin of the test above: its two empty lists are not empty by themselves."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!DOCTYPE html><title>bad</title><img src="http://127.0.0.1:9/x.png"><script>console.error("x")</script>'
    )
    browser.open(bad)
    assert browser.requests() == ["http://127.0.0.1:9/x.png"]
    assert browser.complaints()


def test_the_page_s_policy_lets_its_own_style_through(browser: Browser, page: Path) -> None:
    browser.look(1280)
    browser.open(page)
    assert browser.js("getComputedStyle(document.querySelector('.banner')).display") == "flex"
    band = "getComputedStyle(document.querySelector('#timeline-title').parentElement.querySelector('path[class]')).fill"
    assert browser.js(band) != "rgb(0, 0, 0)"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_runs_off_the_page(browser: Browser, page: Path, width: int) -> None:
    browser.look(width)
    browser.open(page)
    assert browser.js("document.documentElement.scrollWidth") <= width


def test_the_dark_scheme_reaches_the_pictures(browser: Browser, page: Path) -> None:
    colour = "getComputedStyle(document.querySelector('svg.picture text')).fill"
    browser.look(1280)
    browser.open(page)
    light = browser.js(colour)
    browser.look(1280, dark=True)
    assert browser.js(colour) != light
    assert browser.js("getComputedStyle(document.documentElement).backgroundColor") == "rgb(21, 25, 29)"


def test_labels_of_the_time_line_do_not_touch(browser: Browser, page: Path) -> None:
    browser.look(1280)
    browser.open(page)
    boxes = browser.js(
        "[...document.querySelector('#timeline-title').parentElement.querySelectorAll('text')]"
        ".map(t => { const b = t.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom, t.textContent] })"
    )
    # a third of the line height is air above and below the letters
    touching = [
        (one[4], other[4])
        for place, one in enumerate(boxes)
        for other in boxes[place + 1 :]
        if one[0] < other[2] and other[0] < one[2] and one[1] + 3 < other[3] - 3 and other[1] + 3 < one[3] - 3
    ]
    assert boxes
    assert touching == []


def test_it_prints(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.look(1280)
    browser.open(page)
    assert browser.pdf(tmp_path / "report.pdf").startswith(b"%PDF")
