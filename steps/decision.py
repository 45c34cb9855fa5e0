"""Decisions: what the decision table says of metrics that were measured in the last seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping

import httpx
import psycopg
from steps.cache import CATALOGUE
from steps.database import rows
from steps.frontend import missing_elements
from steps.health import API
from steps.queue import BUFFER, RATE

from drillbook import Drill, fault, parse, then
from drillbook.checks import At, Reading
from drillbook.errors import CouldNotLookError

WAITED_FOR = (CATALOGUE, At("projects", "the list of projects"))
"""What users wait for: look-ups, which the cache answers, and a page that the release itself makes."""
WINDOW_S = 3.0
"""Metrics cover this many seconds. This is long enough for a percentage, and short enough to show that something has
changed.
"""
LEAST_ATTEMPTS = 60
"""With fewer attempts, a single error would change the percentage by more than 1.5."""
LEAST_LOOKS, SURE_LOOKS = 4, 10
LEAST_BASELINE_MS = 100.0
"""A shorter baseline counts as this. People notice no multiple of a tenth of a second, and a busy machine makes one."""


@fault("the API is killed")
def api_is_killed(drill: Drill) -> None:
    drill.inject("service_killed", target="api")


@fault(parse("the front door answers {share:Percent} of the requests with an error"))
def front_door_fails(drill: Drill, share: float) -> None:
    drill.inject("front_door_faulty", share=share, delay_ms=0)


@fault(parse("the front door delays every answer by {delay:Duration}"))
def front_door_is_slow(drill: Drill, delay: float) -> None:
    drill.inject("front_door_faulty", share=0, delay_ms=round(1000 * delay))


@then(
    parse(
        'within {deadline:Duration} the decision table says "{decision}", with severity "{severity}", '
        'by the rule "{rule}"'
    )
)
def table_says(drill: Drill, deadline: float, decision: str, severity: str, rule: str) -> None:
    drill.decide(lambda: measured(drill), decision, severity, within=deadline, rule=rule)


@then(
    parse(
        'within {deadline:Duration} the decision table says "{decision}", with severity "{severity}", '
        'once "{fact}" is known to be so'
    )
)
def table_says_once_known(drill: Drill, deadline: float, decision: str, severity: str, fact: str) -> None:
    """A person tells this fact, since no look shows it: that a quick fix failed, or that a feature has a switch."""
    drill.decide(lambda: {**measured(drill), fact: True}, decision, severity, within=deadline)


def measured(drill: Drill) -> Mapping[str, object]:
    """The metrics that looks have shown, by their names in the table. What nobody looks at is left out, and the table
    says what it assumes. Raises CouldNotLookError when there are too few looks.
    """
    metrics: dict[str, object] = {"api_up": any(recent(drill, answered("api"), LEAST_LOOKS))}
    status = recent(drill, API.json("components.database.status"))
    metrics["database_up"] = any(recent(drill, answered("database"), 1)) and status[-1:] != ["down"]
    metrics |= known("data_at_risk", data_at_risk(drill))
    metrics["error_rate"] = round(error_rate(drill), 2)
    metrics |= known("response_time_factor", max(factors(drill), default=None))
    if shown := recent(drill, answered("projects")):
        metrics["critical_features_broken"] = int(not any(shown))
    metrics |= known("broken_features", broken_features(drill))
    statement = drill.inventory.hostvars[drill.inventory.names("database")[0]].get("drillbook_database_corrupted")
    if metrics["database_up"] and statement is not None:
        metrics["data_corrupted"] = data_corrupted(drill, str(statement))
    if "frontend" in drill.inventory.endpoints:
        metrics["broken_displays"] = broken_displays(drill)
    return metrics


def known(metric: str, value: object) -> Mapping[str, object]:
    """The metric, or nothing when its value is None. The table is told of no metric that nobody has seen."""
    return {} if value is None else {metric: value}


def data_at_risk(drill: Drill) -> bool | None:
    """Whether acknowledged work was in memory alone at each of many looks. None when too few looks show it.

    Jobs only pass through a buffer that is empty now and then.
    """
    waiting = recent(drill, BUFFER)
    if not all(waiting):
        return False
    return True if len(waiting) >= SURE_LOOKS else None


def factors(drill: Drill) -> Iterable[float]:
    """How many times longer than before the fault users wait for each of the things that they wait for."""
    for asked in WAITED_FOR:
        if took := [each for each in recent(drill, asked.latency()) if isinstance(each, float)]:
            yield round(statistics.median(took) / max(drill.before(asked.latency()), LEAST_BASELINE_MS), 2)


def data_corrupted(drill: Drill, statement: str) -> bool:
    """Whether there are data that no user can have written. The statement counts them."""
    try:
        return any(count for (count,) in rows(drill, statement))
    except psycopg.Error as error:
        raise CouldNotLookError(f"corrupted rows: {' '.join(str(error).split())}") from error


def broken_displays(drill: Drill) -> int:
    """The number of elements that users see and that do nothing, because the page's script looks for them in vain.

    A page that cannot be loaded counts as one.
    """
    try:
        return len(missing_elements(drill))
    except (CouldNotLookError, httpx.HTTPError):
        return 1


def error_rate(drill: Drill) -> float:
    """The percentage of the work that was not accepted."""
    since = max(drill.phase_opened_s(), time.monotonic() - WINDOW_S)
    tried = [each.answered.value for each in reversed(drill.load.attempts[-1000:]) if each.answered_s >= since]
    if len(tried) < LEAST_ATTEMPTS:
        raise CouldNotLookError(f"{len(tried)} jobs were tried since then, and an error rate needs {LEAST_ATTEMPTS}")
    return 100 * sum(each != "acknowledged" for each in tried) / len(tried)


def broken_features(drill: Drill) -> int | None:
    """How many of two features are broken: look-ups of items, and the processing of jobs.

    When none is seen broken, both have to be seen working. Otherwise it is None.
    """
    no_look_up = not any(recent(drill, answered("catalogue"), 1))
    rates = recent(drill, RATE)
    no_job = len(rates) >= LEAST_LOOKS and not any(rates)
    broken = int(no_look_up) + int(no_job)
    return broken if broken or any(rates) else None


def answered(endpoint: str) -> Reading:
    """Whether each look got a healthy answer."""
    return Reading(f"whether {endpoint} answers", endpoint, lambda sample: sample.ok)


def recent(drill: Drill, reading: Reading, least: int = 0) -> list[object]:
    """The values of the last seconds in this phase. Raises CouldNotLookError for fewer than `least`."""
    values = drill.seen(reading, last_s=WINDOW_S)
    if len(values) < least:
        raise CouldNotLookError(f"{reading.subject}: {len(values)} looks since then, and {least} are needed")
    return values
