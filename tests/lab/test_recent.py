"""Counts of the last seconds, and the file of what an API that ended had acknowledged."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from drillbook_lab.app.health.recent import Durations, Recent
from drillbook_lab.app.webhooks.intake import Intake
from drillbook_lab.app.webhooks.jobs import Webhook
from drillbook_lab.app.webhooks.pending import Pending
from drillbook_lab.base.logs import Log

pytestmark = pytest.mark.unit


def test_what_is_older_than_the_window_does_not_count() -> None:
    now = [0.0]
    recent = Recent(5.0, lambda: now[0])
    assert recent.share(["bad"]) is None
    recent.add("good", 3)
    now[0] = 4.0
    recent.add("bad")
    assert (recent.count(), recent.count("good"), recent.share(["bad"])) == (4, 3, 0.25)
    now[0] = 6.0
    assert (recent.count(), recent.count("good"), recent.share(["bad"])) == (1, 0, 1.0)
    now[0] = 10.0
    assert recent.share(["bad"]) is None


def test_95_percent_of_the_answers_are_as_fast_as_it_says() -> None:
    now = [0.0]
    durations = Durations(2.0, lambda: now[0])
    assert durations.p95_ms() is None
    for took_ms in range(1, 101):
        durations.add(took_ms)
    assert durations.p95_ms() == 95
    now[0] = 3.0
    durations.add(7)
    assert durations.p95_ms() == 7


def intake(written: list[str], broken: bool) -> Intake:
    async def commit(webhooks: Sequence[Webhook]) -> None:
        if broken:
            raise ConnectionError("away")
        written.extend(each.id for each in webhooks)

    async def ping() -> None:
        return None

    return Intake(commit, ping, 1000, Log(echo=False))


def test_what_one_process_keeps_the_next_takes_up_and_only_then_is_the_file_gone(tmp_path: Path) -> None:
    pending, written = Pending(tmp_path / "api.pending.ndjson"), list[str]()

    async def ends() -> None:
        away = intake(written, broken=True)
        running = asyncio.create_task(away.run())
        for n in range(3):
            await away.submit(Webhook(str(n), "k", {"n": n}))
        running.cancel()
        assert pending.keep(away) == 3

    async def killed_before_it_is_done() -> None:
        still_away = intake(written, broken=True)
        taking = asyncio.create_task(pending.take_up(still_away))
        await asyncio.sleep(0)
        assert still_away.size == 3
        taking.cancel()

    async def begins() -> None:
        back = intake(written, broken=False)
        running = asyncio.create_task(back.run())
        await pending.take_up(back)
        running.cancel()
        assert pending.keep(back) == 0

    asyncio.run(ends())
    assert stat.S_IMODE(pending.path.stat().st_mode) == 0o600
    assert [json.loads(line)["payload"] for line in pending.path.read_text().splitlines()] == [
        {"n": n} for n in range(3)
    ]
    asyncio.run(killed_before_it_is_done())
    assert pending.path.exists()
    asyncio.run(begins())
    assert written == ["0", "1", "2"]
    assert not pending.path.exists()
    asyncio.run(begins())
    assert written == ["0", "1", "2"]
