"""The work that a drill submits, and its ledger.

Open loop: attempts leave at the stated rate whether or not earlier ones were answered, so that a slow system does not
hide its slowness (no coordinated omission). Each attempt ends as acknowledged, refused or unknown; none is forgotten.

Two threads share a load without a lock. The drill's thread swaps the order, and the prober's thread carries it out.
Each field has one thread that writes it.
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
"""Work that is overdue by more than this is left out."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The number of submissions a second, from this monotonic instant on."""

    since_s: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Order:
    """What to submit from now on. An order never changes: another order replaces it."""

    per_second: float
    body: str
    count: int | None = None
    """The number of submissions; after them `then` follows. None is without end."""
    then: Order | None = None
    ended: bool = False
    """The order that ends the submitting."""


class Load:
    """Submits work through the system's own front door and keeps its ledger."""

    def __init__(self, prober: Prober, work: Work, database: Endpoint, prefix: str) -> None:
        self._prober, self._work, self._database = prober, work, database
        self.prefix = prefix
        self.rates: list[Rate] = []
        self._attempts: list[Attempt] = []
        self._skipped = 0
        self._number = 0
        self._lines: list[HttpLine] = []
        self._steady = Order(0.0, json.dumps(work.submit_body))
        """The last order without a count; the drill's thread writes it."""
        self._order = self._steady
        """The drill's thread writes it."""
        self._sent: Order | None = None
        """The order that has been sent completely; the prober's thread writes it."""
        self._lock = threading.Lock()
        self._running: Any = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts so far, with their answers."""
        return tuple(self._attempts)

    @property
    def completed_within_s(self) -> float:
        """How long after the last criterion acknowledged work may still be done."""
        return self._work.completed_within_s

    @property
    def skipped(self) -> int:
        """Attempts that were due but not sent, because too many were still unanswered.

        They never count as attempted.
        """
        return self._skipped

    @property
    def rate(self) -> float:
        """Submissions per second at present."""
        return self._current().per_second

    def _current(self) -> Order:
        """The order, or the one that follows it when all of it has been sent."""
        order = self._order
        return order.then if order.then is not None and order is self._sent else order

    def submit(self, per_second: float, fields: Mapping[str, object] | None = None, count: int | None = None) -> None:
        """Start to submit at this rate, or change to it.

        With a `count`: exactly this number, then as before (no more, if nothing was submitted before). `fields` replace
        those of the inventory's body ({"payload": {"work_ms": 300}}).
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
        """Send no further attempts and wait for the open ones. Raises CouldNotLookError when they do not end."""
        running, self._running = self._running, None
        if running is None:
            return
        self._order = Order(0.0, self._order.body, ended=True)
        self.rates.append(Rate(time.monotonic(), 0.0))
        try:
            running.result(timeout=STOP_TIMEOUT_S)
        except TimeoutError:
            raise CouldNotLookError("the work did not stop in time: the jobs under way are not counted") from None

    async def _run(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        due = 0.0
        known, left = None, None
        while not (order := self._current()).ended:
            now, rate = time.monotonic(), order.per_second
            if order is not known:
                # a pause does not count as overdue work, and a slow rate does not delay the first attempt of a fast one
                known, left, due = order, order.count, now
            if rate <= 0 or due > now:
                # at least ten times a second, so that a new rate or a stop is seen soon
                await asyncio.sleep(min(0.1, due - now) if rate > 0 else 0.1)
                continue
            due += 1 / rate
            overdue = int((now - OVERDUE_S - due) * rate)
            if overdue > 0:
                # this process had no time to send: it leaves out what is overdue by more than a second, and counts it
                self._skipped += overdue
                due += overdue / rate
            # the prober's samples get their turn, however much is overdue
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
            # a line that cannot be made (the CA file is missing) is a failed attempt, too
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
        """How often each job of this drill was done, according to the system's own database (SQL).

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
        """Balance the attempts answered before `until_s` (monotonic; None: now) against the work that is done by now.

        Work without an answer, or with a later one, is left out on both sides.
        """
        # work acknowledged after the look at the database cannot be expected in it
        limit = time.monotonic() if until_s is None else until_s
        done = self.completed()
        attempts = self.attempts
        counted = [attempt for attempt in attempts if attempt.answered_s <= limit]
        ids = {attempt.id for attempt in counted}
        left_out = {job for job in done if job not in ids and self._was_sent(job)}
        return account(counted, {job: times for job, times in done.items() if job not in left_out})

    def refused(self, status: int, since_s: float) -> list[float]:
        """When attempts sent since an instant were refused with this status and a time to come back (monotonic)."""
        return [
            attempt.answered_s
            for attempt in self.attempts
            if attempt.status == status and attempt.retry_after and attempt.sent_s >= since_s
        ]

    def refuse_pause(self, since_s: float) -> None:
        """Raise CouldNotLookError when the load paused for a time since this instant, although work was due.

        The submitter stood still then. The balance does not show what would have been lost or refused in that time.
        """
        ends = [rate.since_s for rate in self.rates[1:]] + [time.monotonic()]
        for rate, end_s in zip(self.rates, ends, strict=False):
            pause = self._prober.stood_still(max(rate.since_s, since_s), end_s) if rate.per_second > 0 else None
            if pause is not None and pause.seconds > OVERDUE_S + 1 / rate.per_second:
                raise CouldNotLookError(f"the balance of the work: nobody submitted for {pause.seconds:.1f} s")

    def failures(self, last_s: float) -> int:
        """How many attempts that ended in the last so many seconds were not acknowledged.

        Raises CouldNotLookError when none ended (silence is not success), or when none was sent for a part of that
        time.
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
    """The body of a submission, as a mapping in which fields are replaced.

    Raises DrillbookError when it is no mapping.
    """
    if not isinstance(body, Mapping):
        raise DrillbookError(
            "drillbook_work.submit.body is not a mapping in the inventory, so a step cannot replace its fields"
        )
    return body
