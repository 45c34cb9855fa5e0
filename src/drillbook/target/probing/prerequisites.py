"""What must be there before the fault: people, access to hosts, endpoints that answer.

The rule: a demand states a number or a name. Drillbook looks at it before the fault, and refuses a drill that lacks it,
with what it observed and what it required. Source: the runbooks' section "Before you begin".
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from drillbook.checks import At, Check, Observation
from drillbook.errors import CouldNotLookError, DrillbookError, GuardError, InventoryError
from drillbook.model.record import PrerequisiteRecord
from drillbook.model.times.sample import Sample
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.probes import take_once
from drillbook.target.probing.waiting import look_once

AT_ONCE = 16
"""The number of hosts that are asked at the same time. Each has 10 s, and a look as a whole has 15 s."""


def distinct_names(given: Iterable[str]) -> tuple[str, ...]:
    """The people of `--present A,B --present C`: each once, as first written; case makes no difference."""
    found: dict[str, str] = {}
    for text in given:
        for part in text.split(","):
            name = " ".join(part.split())
            if name:
                found.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
    return tuple(found.values())


# ------------------------------------------------------------------ the checks


def present(people: Sequence[str], count: int) -> Check:
    """At least this number of people is present. Raises GuardError for a number that every drill meets."""
    if count < 1:
        raise GuardError(f"{count} people are always present: ask for at least 1")
    seen = f"{len(people)} ({', '.join(people)})" if people else "nobody"

    def judge(_sample: Sample) -> Observation:
        return Observation(len(people) >= count, seen, f"at least {count}, named with --present")

    return Check("1 person is present" if count == 1 else f"{count} people are present", lambda: people, judge)


def reachable(inventory: Inventory, pattern: str) -> Check:
    """Each host of a host or group name answers a command. Raises GuardError for an unknown name."""
    try:
        hosts = list(zip(inventory.names(pattern), inventory.hosts(pattern), strict=True))
    except InventoryError as error:
        raise GuardError(str(error)) from error

    def ask(host: tuple[str, object]) -> str | None:
        name, it = host
        try:
            result = it.run("true")  # type: ignore[attr-defined]
        except CouldNotLookError as error:
            return str(error)
        said = " ".join(result.stderr.split())
        return None if result.rc == 0 else f"{name} answered with status {result.rc}" + (f": {said}" if said else "")

    def look() -> list[str]:
        with ThreadPoolExecutor(AT_ONCE, "drillbook-reach") as asking:
            return [problem for problem in asking.map(ask, hosts) if problem]

    def judge(sample: Sample) -> Observation:
        problems = sample.value
        if sample.error is not None or not isinstance(problems, list):
            return Observation(met=False, observed=sample.error or "nothing", required="an answer to a command")
        return Observation(not problems, "; ".join(problems) or f"{len(hosts)} answered", "an answer to a command")

    return Check(f'every host of "{pattern}" can be reached', look, judge)


def answering(endpoint: Endpoint, words: str = "") -> Check:
    """The endpoint answers as a healthy one does, on a connection of its own: the prober may not run yet."""
    answers = At(endpoint.name, words or f'the endpoint "{endpoint.name}"').answers()

    def judge(sample: Sample) -> Observation:
        if not isinstance(sample.value, Sample):
            return Observation(met=False, observed=sample.error or "nothing", required="a healthy answer")
        return answers.judge(sample.value)

    return Check(answers.name, lambda: asyncio.run(take_once(endpoint)), judge)


def readable(inventory: Inventory, endpoint: str, words: str) -> Check:
    """The endpoint of this name answers. Raises GuardError when there is none."""
    if endpoint not in inventory.endpoints:
        known = ", ".join(sorted(inventory.endpoints)) or "none"
        raise GuardError(f"no endpoint {endpoint!r} in the inventory's drillbook_endpoints; there are: {known}")
    return answering(inventory.endpoints[endpoint], words)


# ------------------------------------------------------------------ looking


def look(check: Check) -> Observation:
    """Look once. A look that fails has seen nothing."""
    try:
        return check.judge(look_once(check.name, check.source)) if callable(check.source) else _unasked(check)
    except CouldNotLookError as error:
        return Observation(met=False, observed=str(error), required="a look that comes back")


def _unasked(check: Check) -> Observation:
    raise DrillbookError(f"{check.name}: a prerequisite is looked at when it is asked for, and not sampled")


def lacking(check: Check, seen: Observation, where: str = "") -> str:
    """The sentence of a refusal."""
    demanded = f" (demanded by {where})" if where else ""
    return f"a prerequisite is not met: {check.name}: observed {seen.observed}, required {seen.required}{demanded}"


def refuse_too_few(inventory: Inventory, people: Sequence[str]) -> None:
    """Raise GuardError unless enough people are named, before anything touches the system."""
    for where, check in _of_people(inventory, people):
        seen = look(check)
        if not seen.met:
            raise GuardError(lacking(check, seen, where))


def verify(
    inventory: Inventory, people: Sequence[str], redact: Callable[[str], str] = lambda text: text
) -> list[PrerequisiteRecord]:
    """Look at all that the inventory demands of every drill. Raises GuardError for the first missing one."""
    looked = []
    for where, check in _demanded(inventory, people):
        seen = look(check)
        if not seen.met:
            raise GuardError(redact(lacking(check, seen, where)))
        looked.append(PrerequisiteRecord(check.name, seen.observed, seen.required, seen.met))
    return looked


def _of_people(inventory: Inventory, people: Sequence[str]) -> Iterator[tuple[str, Check]]:
    if inventory.prerequisites.people:
        yield _where(inventory, "people"), present(people, inventory.prerequisites.people)


def _demanded(inventory: Inventory, people: Sequence[str]) -> Iterator[tuple[str, Check]]:
    yield from _of_people(inventory, people)
    for pattern in inventory.prerequisites.hosts:
        yield _where(inventory, "hosts"), reachable(inventory, pattern)
    for name in inventory.prerequisites.endpoints:
        yield _where(inventory, "endpoints"), answering(inventory.endpoints[name])


def _where(inventory: Inventory, key: str) -> str:
    name = f"drillbook_prerequisites.{key}"
    return f"{name}, {inventory.where(name)}"
