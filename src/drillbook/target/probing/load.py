"""The work that is submitted all through a drill, and its ledger.

Open loop: attempts leave at the stated rate whether or not earlier ones were answered, so that a slow system does not
hide its slowness (no coordinated omission). Each attempt ends as acknowledged, refused or unknown; none is forgotten.

Two threads share a load, and no lock: the drill's thread swaps the order, the prober's thread carries it out, and each
field has one thread that writes it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.work_balance import Account, Answered, Attempt, account
from drillbook.target.inventory.settings import Endpoint, Work
from drillbook.target.probing.http.connection import HttpLine
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.probes import why

ANSWER_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = ANSWER_TIMEOUT_S + 5
MAX_UNDER_WAY = 64
OVERDUE_S = 1.0
"""What is overdue by more than this is left out."""


@dataclass(frozen=True, slots=True)
class Rate:
    """From this monotonic instant on, so many submissions a second."""

    since_s: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be submitted from now on. It never changes: another order takes its place."""

    per_second: float
    body: str
    count: int | None = None
    """So many, and then `then`; None is without end."""
    then: Order | None = None
    ended: bool = False
    """Nothing any more: the submitting ends."""


class Load:
    """Submits work through the system's own front door and keeps the ledger of it."""

    def __init__(self, prober: Prober, work: Work, database: Endpoint, prefix: str) -> None:
        self._prober, self._work, self._database = prober, work, database
        self.prefix = prefix
        self.rates: list[Rate] = []
        self._attempts: list[Attempt] = []
        self._skipped = 0
        self._number = 0
        self._lines: list[HttpLine] = []
        self._steady = Order(0.0, json.dumps(work.submit_body))
        """The order without a count that was given last; the drill's thread writes it."""
        self._order = self._steady
        """The drill's thread writes it."""
        self._sent: Order | None = None
        """The order of which all was sent; the prober's thread writes it."""
        self._lock = threading.Lock()
        self._running: Any = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was tried and answered so far."""
        return tuple(self._attempts)

    @property
    def completed_within_s(self) -> float:
        """How long after the last criterion acknowledged work may still be done."""
        return self._work.completed_within_s

    @property
    def skipped(self) -> int:
        """Attempts that were due but not sent, since too many were still unanswered. Never counted as attempted."""
        return self._skipped

    @property
    def rate(self) -> float:
        """Submissions per second at present."""
        return self._current().per_second

    def _current(self) -> Order:
        """The order, or what comes after it once all of it was sent."""
        order = self._order
        return order.then if order.then is not None and order is self._sent else order

    def submit(self, per_second: float, fields: Mapping[str, object] | None = None, count: int | None = None) -> None:
        """Begin, or go on, at this rate; with a `count`, exactly so many and then as before (no more, if none were).

        `fields` stand in the body instead of those of the inventory ({"payload": {"work_ms": 300}}).
        """
        body = self._work.submit_body
        form = json.dumps({**_members(body), **fields} if fields else body)
        if count is None:
            self._steady = self._order = Order(per_second, form)
        else:
            self._order = Order(per_second, form, count, self._steady)
        self.rates.append(Rate(time.monotonic(), per_second))
        if self._running is None:
            self._running = self._prober.run(self._run())

    def stop(self) -> None:
        """No further attempts; those under way are waited for. Raises CouldNotLookError when they do not end."""
        running, self._running = self._running, None
        if running is None:
            return
        self._order = Order(0.0, self._order.body, ended=True)
        self.rates.append(Rate(time.monotonic(), 0.0))
        try:
            running.result(timeout=STOP_TIMEOUT_S)
        except TimeoutError:
            raise CouldNotLookError("the work did not stop in time: what was under way is not accounted for") from None

    async def _run(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        due = 0.0
        known, left = None, None
        while not (order := self._current()).ended:
            now, rate = time.monotonic(), order.per_second
            if order is not known:
                # neither does a pause count as work overdue, nor a slow rate delay the first attempt of a fast one
                known, left, due = order, order.count, now
            if rate <= 0 or due > now:
                # at least ten times a second, so that a new rate or a stop is seen soon
                await asyncio.sleep(min(0.1, due - now) if rate > 0 else 0.1)
                continue
            due += 1 / rate
            overdue = int((now - OVERDUE_S - due) * rate)
            if overdue > 0:
                # this process had no time to send: what is overdue by more than a second is left out, and counted
                self._skipped += overdue
                due += overdue / rate
            # the prober's samples have their turn, however much is overdue
            await asyncio.sleep(0)
            if len(pending) >= MAX_UNDER_WAY:
                self._skipped += 1
                continue
            if left is not None and order.then is not None:
                left -= 1
                if left <= 0:
                    self._sent = order
                    self.rates.append(Rate(time.monotonic(), order.then.per_second))
            self._number += 1
            task = asyncio.get_running_loop().create_task(self._attempt(self._name(self._number), order.body))
            pending.add(task)
            task.add_done_callback(pending.discard)
        if pending:
            await asyncio.wait(pending, timeout=ANSWER_TIMEOUT_S + 1)
        for line in self._lines:
            line.close()

    async def _attempt(self, job: str, form: str) -> None:
        work = self._work
        line: HttpLine | None = None
        body = form.replace("{id}", job).encode()
        sent = time.monotonic()
        try:
            # a line that cannot be made (no CA where the inventory says) is an attempt that failed, too
            line = self._lines.pop() if self._lines else HttpLine(work.submit_url, work.submit_headers, work.submit_ca)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await line.ask(work.submit_method, body)
        except Exception as error:  # noqa: BLE001 - whatever happened, the attempt is answered "unknown" with the reason
            if line is not None:
                line.close()
            self._note(Attempt(job, sent, time.monotonic(), Answered.UNKNOWN, detail=why(error)))
        else:
            if answer.status in work.acknowledged:
                answered = Answered.ACKNOWLEDGED
            elif answer.status in work.refused:
                answered = Answered.REFUSED
            else:
                answered = Answered.UNKNOWN
            retry_after = "retry-after" in answer.headers
            self._note(Attempt(job, sent, time.monotonic(), answered, answer.status, None, retry_after))
        finally:
            if line is not None:
                self._lines.append(line)

    def _note(self, attempt: Attempt) -> None:
        with self._lock:
            self._attempts.append(attempt)

    def completed(self) -> Mapping[str, int]:
        """How often each job of this drill was done, by the system's own books (SQL).

        Raises CouldNotLookError when the database does not answer.
        """
        # only drills with work use psycopg, which takes 0.1 s of CPU to import
        from drillbook.target.probing import sql

        try:
            with sql.connect(self._database) as connection:
                rows = connection.execute(self._work.completed_query.encode(), {"prefix": f"{self.prefix}%"}).fetchall()
        except sql.Error as error:
            raise CouldNotLookError(f"the completed work could not be read from the database: {why(error)}") from None
        return {str(job): int(times) for job, times in rows}

    def balance(self, until_s: float | None = None) -> Account:
        """Balance what was answered before `until_s` (monotonic; now when None) against what is done by now.

        Work that was sent, but is not answered or was answered later, is left out on both sides.
        """
        # what is acknowledged after the look at the database cannot be expected in it
        limit = time.monotonic() if until_s is None else until_s
        done = self.completed()
        attempts = self.attempts
        counted = [attempt for attempt in attempts if attempt.answered_s <= limit]
        ids = {attempt.id for attempt in counted}
        left_out = {job for job in done if job not in ids and self._was_sent(job)}
        return account(counted, {job: times for job, times in done.items() if job not in left_out})

    def refused(self, status: int, since_s: float) -> list[float]:
        """When attempts sent since an instant were refused with this status and told when to come back (monotonic)."""
        return [
            attempt.answered_s
            for attempt in self.attempts
            if attempt.status == status and attempt.retry_after and attempt.sent_s >= since_s
        ]

    def refuse_pause(self, since_s: float) -> None:
        """Raise CouldNotLookError when no work was submitted for a time since this instant, although it was to be.

        Who submits stood still then: what would have been lost or refused in that time is not in any balance.
        """
        ends = [rate.since_s for rate in self.rates[1:]] + [time.monotonic()]
        for rate, end_s in zip(self.rates, ends, strict=False):
            pause = self._prober.stood_still(max(rate.since_s, since_s), end_s) if rate.per_second > 0 else None
            if pause is not None and pause.seconds > OVERDUE_S + 1 / rate.per_second:
                raise CouldNotLookError(f"the balance of the work: nobody submitted for {pause.seconds:.1f} s")

    def failures(self, last_s: float) -> int:
        """How many attempts that ended in the last so many seconds were not acknowledged.

        Raises CouldNotLookError when none ended (silence is not success), or none was sent for a part of that time.
        """
        since_s = time.monotonic() - last_s
        self.refuse_pause(since_s)
        recent = list(itertools.takewhile(lambda attempt: attempt.answered_s >= since_s, reversed(self._attempts)))
        if not recent:
            raise CouldNotLookError(f"no job was answered in the last {last_s:g} s")
        return sum(attempt.answered is not Answered.ACKNOWLEDGED for attempt in recent)

    def _was_sent(self, job: str) -> bool:
        number = job.removeprefix(self.prefix)
        return number.isdecimal() and job == self._name(int(number)) and int(number) <= self._number

    def _name(self, number: int) -> str:
        return f"{self.prefix}{number:06d}"


def _members(body: object) -> Mapping[str, object]:
    """The body of a submission, of which fields are to be replaced. Raises DrillbookError when it has none."""
    if not isinstance(body, Mapping):
        raise DrillbookError(
            "drillbook_work.submit.body is no mapping in the inventory: none of its fields can be replaced"
        )
    return body
