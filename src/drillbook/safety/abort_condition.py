"""The abort condition: an endpoint that must not fail while a drill runs. When it fails, the drill stops at once.

The rule: the prober's thread sees the unhealthy sample and only sends a signal. The signal's handler raises in the
drill's own thread, once. Then everything is put back, and nothing stops that. A step that catches everything may
swallow the exception, so the drill asks again at the next step and at the end: the sample decides the verdict.
"""

from __future__ import annotations

import difflib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

from drillbook.checks import At, Observation
from drillbook.errors import GuardError
from drillbook.model.tags import ABORT_WHEN, tag_values
from drillbook.model.times.gaps import longest
from drillbook.model.times.sample import Sample
from drillbook.model.times.timeline import Moment
from drillbook.safety.signals import AGAIN_S, FINISH_S, Shield, in_the_middle
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.prerequisites import answering, look
from drillbook.target.probing.prober import Prober


class Aborted(BaseException):
    """The abort condition fired.

    It is no Exception, so that no step takes it for an error of its own. It is no KeyboardInterrupt: the session goes
    on with the next drill.
    """

    __drillbook_sentence__ = True


@dataclass(frozen=True, slots=True)
class Fired:
    """The sample that was not healthy."""

    endpoint: str
    sample: Sample

    @property
    def seen(self) -> Observation:
        """What was observed, and what was required."""
        return At(self.endpoint).answers().judge(self.sample)

    @property
    def sentence(self) -> str:
        """Why the drill was stopped."""
        return f"the abort condition fired: {_observed(self.endpoint, self.seen)}"

    def moment(self, samples: Iterable[Sample]) -> Moment:
        """The moment of the sample, uncertain back to the last healthy one."""
        healthy = [each.sent_s for each in samples if each.ok and each.done_s <= self.sample.sent_s]
        since_s = max(healthy, default=self.sample.sent_s)
        return Moment(self.sample.done_s, self.sample.done_s - since_s, f"{self.endpoint}: {self.seen.observed}")


def _observed(endpoint: str, seen: Observation) -> str:
    return f"{endpoint}: observed {seen.observed}, required {seen.required}"


def conditions(tags: Iterable[str], endpoints: Mapping[str, Endpoint], where: str) -> tuple[Endpoint, ...]:
    """The endpoints that the tags `@abort-when:NAME` name, with `_` for a space in a name.

    `where` is the place of `drillbook_endpoints`. Raises GuardError for a name that is unknown or not sampled.
    """
    found: dict[str, Endpoint] = {}
    for value in tag_values(tags, ABORT_WHEN):
        fitting = [name for name in endpoints if value in (name, _as_tag(name))]
        if not fitting:
            raise GuardError(f"@{ABORT_WHEN}:{value}: {_unknown(value, endpoints, where)}")
        if len(fitting) > 1:
            named = " and ".join(map(repr, fitting))
            raise GuardError(f"@{ABORT_WHEN}:{value} may mean the endpoints {named} ({where}): rename one of them")
        endpoint = endpoints[fitting[0]]
        if not endpoint.probe:
            raise GuardError(
                f"@{ABORT_WHEN}:{value}: the endpoint {endpoint.name!r} is not sampled: remove 'probe: false' from it "
                f"in drillbook_endpoints ({where})"
            )
        found[endpoint.name] = endpoint
    return tuple(found.values())


def _as_tag(name: str) -> str:
    return name.replace(" ", "_")


def _unknown(value: str, endpoints: Iterable[str], where: str) -> str:
    known = sorted(map(_as_tag, endpoints))
    near = difflib.get_close_matches(value, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"no such endpoint in drillbook_endpoints ({where}); {hint}There are: {', '.join(known) or 'none'}"


def refuse_unhealthy(endpoints: Iterable[Endpoint], redact: Callable[[str], str] = lambda text: text) -> None:
    """Raise GuardError for the first one that does not answer now: nothing is broken on top of that."""
    for endpoint in endpoints:
        seen = look(answering(endpoint))
        if not seen.met:
            observed = redact(_observed(endpoint.name, seen))
            raise GuardError(f"the abort condition was there before the drill: {observed}. Nothing was broken")


class AbortGuard:
    """Watches the endpoints of one drill, and stops its main thread when one of them fails."""

    def __init__(self, endpoints: Sequence[Endpoint], shield: Shield) -> None:
        """Raises GuardError when there is no way to stop the drill: outside of the main thread."""
        self._names = tuple(endpoint.name for endpoint in endpoints)
        self._shield = shield
        self.fired: Fired | None = None
        """The first unhealthy sample before the end of the steps."""
        self._late: dict[str, Fired] = {}
        self._number: int | None = None
        self._before: Any = None
        self._lock = threading.Lock()
        self._wake, self._over = threading.Event(), threading.Event()
        self._quiet, self._held, self._raised = False, False, False
        self._held_s = 0.0
        self._thread = threading.Thread(target=self._set_off, name="drillbook-abort", daemon=True)
        if self._names and threading.current_thread() is not threading.main_thread():
            raise GuardError(
                f"@{ABORT_WHEN}: this drill does not run in the main thread, so the condition could not stop it"
            )

    def watch(self, prober: Prober) -> None:
        """Listen to the samples of the endpoints. Call it before the prober starts."""
        for name in self._names:
            prober.on_sample(name, partial(self._sampled, name))

    def _sampled(self, name: str, sample: Sample) -> None:
        """Runs in the prober's thread: it only sends the signal."""
        if sample.ok:
            return
        with self._lock:
            if self._held:
                self._late.setdefault(name, Fired(name, sample))
            elif self.fired is None:
                self.fired = Fired(name, sample)
                self._wake.set()

    def arm(self) -> None:
        """From here on the main thread can be stopped, by a signal that nobody else uses: users and coverage have
        theirs.
        """
        if not self._names:
            return
        self._number = _free_signal()
        self._before = signal.signal(self._number, self._stop)
        self._thread.start()

    def _set_off(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        assert self._number is not None
        self._wake.wait()
        while not self._over.is_set():
            with self._lock:
                if not self._held and not self._raised:
                    # to the main thread, not to the process: only then does a system call of that thread return
                    signal.pthread_kill(main, self._number)
            self._over.wait(AGAIN_S)

    def _stop(self, _number: int, frame: FrameType | None) -> None:
        """The signal's handler, in the main thread. After Ctrl-C the drill is already stopping."""
        if self._quiet or self._raised or self.fired is None or self._shield.stopping:
            return
        if time.monotonic() < self.fired.sample.done_s + FINISH_S and in_the_middle(frame):
            return  # asked again
        self._raise(self.fired)

    def check(self) -> None:
        """Raise Aborted when it has fired and the exception got lost: a step may catch everything."""
        if self.fired is not None and not self._quiet and not self._shield.stopping:
            self._raise(self.fired)

    def _raise(self, fired: Fired) -> None:
        self._raised = True
        # from here to the restored system a Ctrl-C waits, and then ends the session
        self._shield.hold()
        # the observation may hold a secret, and the drill shows it
        raise Aborted(f"ABORTED: the abort condition fired: {fired.endpoint}")

    def hold(self) -> Fired | None:
        """From here on samples are only noted; returns the one that fired before. Idempotent."""
        self._quiet = True
        with self._lock:
            self._held_s = time.monotonic() if not self._held else self._held_s
            self._held = True
        self._over.set()
        self._wake.set()
        return self.fired

    def unseen(self, prober: Prober) -> Iterator[str]:
        """Why the condition is unknown: a time since the begin in which nobody looked. Call it after `hold`."""
        for name in self._names:
            gap = longest(prober.gaps(name, None, self._held_s))
            if gap is not None:
                yield f"@{ABORT_WHEN}:{_as_tag(name)}: {gap}, and nothing would have stopped the drill"

    def notes(self) -> Iterator[str]:
        """What was noted since `hold`."""
        for fired in tuple(self._late.values()):
            observed = _observed(fired.endpoint, fired.seen)
            yield f"while the system was put back the abort condition was there: {observed}"

    def release(self) -> None:
        """Restore the signal's earlier handler. Call it after `hold`."""
        if self._number is None:
            return
        self._thread.join()
        # a late signal is delivered on the return of any system call: here, so that it does not reach another handler
        # or end the process
        signal.sigpending()
        signal.signal(self._number, self._before)
        self._number = None


def _free_signal() -> int:
    """The highest real-time signal that is neither handled, ignored nor blocked."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for number in range(signal.SIGRTMAX, signal.SIGRTMIN - 1, -1):
        if signal.getsignal(number) is signal.SIG_DFL and number not in blocked:
            return number
    raise GuardError(f"@{ABORT_WHEN}: every real-time signal is in use, so the condition could not stop the drill")
