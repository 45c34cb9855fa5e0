"""Waits for a check: it reads the samples as they come and says at which of them the check was met.

The rule: waiting makes the prober look neither more nor less often. A look that crashed, hung or was never made is
unknown: no pass and no failure.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from drillbook.checks import Check, Observation
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.gaps import LONGEST_WAIT_S, Gap
from drillbook.model.times.sample import Sample
from drillbook.model.times.windows import Found, Judged, Window
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.probes import why

LOOK_INTERVAL_S = 0.2
LOOK_TIMEOUT_S = 15.0
LOOK_GAP_S = 1.5
"""Looks further apart than this do not make one window: nobody looked in between."""
LEAST_GAP_S = 1.0
"""How long a look may take in any window, if the endpoint's time-out allows it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of waiting for a check.

    `last` is the last observation; `found` is None when the check was not met in time.
    """

    found: Found | None
    last: Observation | None
    samples: int
    breaks: int
    at_once: bool = False
    """The very first sample met it: it may have been met long before."""
    gap: Gap | None = None
    """The longest time in which nobody looked while the drill waited for it."""


def watch(
    prober: Prober,
    check: Check,
    *,
    since_s: float,
    until_s: float,
    length_s: float = 0.0,
    first_only: bool = False,
    tell: Callable[[Observation], None] = lambda _observation: None,
) -> Watched:
    """Wait until `check` was met for `length_s` in samples asked for since `since_s`, beginning by `until_s`.

    Instants are monotonic seconds. With `first_only` the first sample decides. Raises CouldNotLookError when the
    judgement crashes, every look failed, nobody looked in time, or nothing was sampled at all.
    """
    if isinstance(check.source, str):
        prober.of(check.source).remember(check.path)
    samples, max_gap_s = _samples(prober, check, since_s, until_s, length_s)
    window = Window(length_s, max_gap_s, asked_before_s=_asked_before(prober, check, since_s))
    last: Observation | None = None
    count, answers, at_once = 0, 0, False
    for sample in samples:
        count += 1
        answers += sample.error is None
        observation = judge(check, sample)
        if count == 1 and not first_only and observation.at_s is None and sample.sent_s > until_s:
            raise CouldNotLookError(
                f"{check.name}: nobody looked in time, because earlier steps lasted until after the deadline"
            )
        if observation.at_s is not None and observation.at_s < since_s:
            observation = replace(observation, met=False, observed=f"{observation.observed}, but before it counted")
        if last is None or observation.observed != last.observed:
            tell(observation)
        last = observation
        at_once = observation.met if count == 1 else at_once and observation.met
        found = window.feed(Judged(sample.sent_s, sample.done_s, observation.met, sample.error is None))
        if found is None:
            begun = window.begin_s is not None and window.begin_s <= until_s
            if first_only or (sample.sent_s > until_s and not begun):
                break
            continue
        if observation.at_s is not None and not length_s:
            found = Found(observation.at_s, 0.0, found.end_s, found.breaks)
        # a step's own look has begun when it is asked for, and cannot end in the same instant
        in_time = first_only or found.at_s <= until_s
        if not in_time:
            _refuse_hidden(check, window, until_s, met=True)
        return Watched(found if in_time else None, observation, count, window.breaks, at_once, window.gap)
    if not count:
        raise CouldNotLookError(f"{check.name}: nothing was observed in the time allowed")
    if not answers and not isinstance(check.source, str):
        # an endpoint that does not answer is an observation; a look that always fails is not
        raise CouldNotLookError(f"{check.name}: every look failed, the last with: {last.observed if last else '?'}")
    if not first_only:
        _refuse_hidden(check, window, until_s, met=window.begin_s is not None)
    return Watched(None, last, count, window.breaks, gap=window.gap)


def _refuse_hidden(check: Check, window: Window, until_s: float, *, met: bool) -> None:
    """Raise CouldNotLookError when the check may have been met while nobody looked.

    That is in the middle of a window, or at the deadline. `met`: the last sample met it.
    """
    hiding = window.broken_by
    if hiding is None and not window.length_s:
        if met and window.gap is not None and window.gap.until_s >= until_s:
            hiding = window.gap
        elif window.seen_s is not None and until_s - window.seen_s > window.max_gap_s:
            hiding = Gap(window.seen_s, until_s)
    if hiding is not None:
        raise CouldNotLookError(f"{check.name}: {hiding} while the drill waited for it")


def _asked_before(prober: Prober, check: Check, since_s: float) -> float | None:
    """When the last look before `since_s` was asked; None when there was none."""
    if not isinstance(check.source, str):
        return None
    series = prober.of(check.source)
    index = series.first_index_since(since_s)
    return series[index - 1].sent_s if index else None


def _samples(
    prober: Prober, check: Check, since_s: float, until_s: float, length_s: float
) -> tuple[Iterator[Sample], float]:
    if isinstance(check.source, str):
        endpoint = prober.endpoint(check.source)
        look_s = 1 / endpoint.samples_per_s + endpoint.timeout_s
        # the first sample beyond its end completes a window that begins at the last moment
        end_s = until_s + length_s + look_s if length_s else until_s
        max_gap_s = endpoint.longest_gap_s
        if length_s:
            # a time-out of 20 s must not let two looks show a window of 5 s
            max_gap_s = min(max_gap_s, max(length_s / 2, 1 / endpoint.samples_per_s + LEAST_GAP_S))
        return _of_endpoint(prober, check.source, since_s, end_s), max_gap_s
    # a step's own look may take as long as an endpoint's; such looks do not show a window
    return _of_look(check.name, check.source, until_s + length_s), LOOK_GAP_S if length_s else LONGEST_WAIT_S


def _of_endpoint(prober: Prober, name: str, since_s: float, until_s: float) -> Iterator[Sample]:
    series, endpoint = prober.of(name), prober.endpoint(name)
    index = series.first_index_since(since_s)
    # the look that was open at the deadline still counts
    last_s = until_s + 1 / endpoint.samples_per_s + endpoint.timeout_s
    while True:
        length = len(series)
        while index < length:
            sample = series[index]
            index += 1
            if sample.sent_s > until_s:
                return
            yield sample
        if not prober.alive:
            raise CouldNotLookError(f"the prober stopped: {name!r} is no longer looked at")
        if time.monotonic() > last_s:
            return
        series.wait_beyond(length, min(last_s, time.monotonic() + 1))


def _of_look(name: str, look: Callable[[], object], until_s: float) -> Iterator[Sample]:
    pause = threading.Event()
    while True:
        yield look_once(name, look)
        left = until_s - time.monotonic()
        if left <= 0:
            return
        pause.wait(min(left, LOOK_INTERVAL_S))


def look_once(name: str, look: Callable[[], object]) -> Sample:
    """One look in a thread of its own, so that a look that hangs cannot stop the drill.

    Raises CouldNotLookError for a hang; an error of the look itself becomes a sample that says so.
    """
    box: list[Sample] = []

    def run() -> None:
        sent = time.monotonic()
        try:
            value = look()
            if inspect.isawaitable(value):
                if inspect.iscoroutine(value):
                    value.close()
                raise DrillbookError("the look is async, and nobody awaits it: write it as a plain function")
            box.append(Sample(sent, time.monotonic(), ok=True, value=value))
        except BaseException as error:  # noqa: BLE001 - a look may fail in any way (pytest.fail); the sample says how
            box.append(Sample(sent, time.monotonic(), ok=False, error=why(error)))

    thread = threading.Thread(target=run, name=f"drillbook-look {name}", daemon=True)
    thread.start()
    deadline = time.monotonic() + LOOK_TIMEOUT_S
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.2)
    if not box:
        raise CouldNotLookError(f"{name}: the look did not come back within {LOOK_TIMEOUT_S:g} s")
    return box[0]


def judge(check: Check, sample: Sample) -> Observation:
    """The check's judgement of a sample. Raises CouldNotLookError when it crashes, or says neither yes nor no."""
    try:
        seen = check.judge(sample)
        met = seen.met
    except CouldNotLookError as error:
        raise CouldNotLookError(f"{check.name}: {error}") from error
    except Exception as error:
        raise CouldNotLookError(f"{check.name}: the check itself failed ({why(error)})") from error
    if not isinstance(met, bool):
        # Python takes any object for true: a coroutine that nobody awaits, a method that nobody calls, the word "no"
        raise CouldNotLookError(f"{check.name}: its judgement is neither true nor false, it is a {type(met).__name__}")
    return seen


def not_met(check: Check, watched: Watched, within_s: float | None, length_s: float = 0.0) -> str:
    """Why a check was not met: observed and required. `within_s` None: the first look decided."""
    assert watched.last is not None
    allowed = "now" if within_s is None else f"within {within_s:g} s"
    if length_s:
        allowed = f"for {length_s:g} s on end, beginning {allowed} ({watched.breaks} interruptions)"
    return f"{check.name}: observed {watched.last.observed}, required {watched.last.required} {allowed}"
