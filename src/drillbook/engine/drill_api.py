"""What a step may know about a drill, do in it and look at: the calls of the fixture `drill`.

The rule: this is the only list of them. A drill under way, the drill of a plan and the drill of the tests implement it.
The list of calls that are harmless in a plan is derived from it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from drillbook.checks import Check, Reading
from drillbook.model.times.profiles import Timings


class DrillApi(Protocol):
    """`Drill` describes each call. A call returns `Any` where a plan or a test puts something in its place."""

    # what steps may know

    @property
    def inventory(self) -> Any: ...

    @property
    def people(self) -> tuple[str, ...]: ...

    @property
    def load(self) -> Any: ...

    @property
    def accepted_lost(self) -> int: ...

    @property
    def reference(self) -> str: ...

    @property
    def timings(self) -> Timings: ...

    def hosts(self, pattern: str) -> Sequence[Any]: ...

    def fault_at_s(self) -> float: ...

    def phase_opened_s(self) -> float: ...

    def before(self, reading: Reading) -> float: ...

    def last_before(self, reading: Reading) -> object: ...

    def seen(self, reading: Reading, last_s: float | None = None) -> list[object]: ...

    def last(self, reading: Reading) -> object: ...

    # what they may do

    def note(self, text: str) -> None: ...

    def observe(self, subject: str, value: object, unit: str = "") -> None: ...

    def secret(self, value: str, name: str = "secret") -> str: ...

    def baseline_begins(self) -> None: ...

    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> Any: ...

    def inject(self, name: str, **variables: object) -> Any: ...

    def recover(
        self,
        name: str,
        *,
        tags: str | Sequence[str] = (),
        skip_tags: str | Sequence[str] = (),
        limit: str | Sequence[str] = (),
        **variables: object,
    ) -> Any: ...

    def announce(self, name: str, **variables: object) -> Any: ...

    def leave_alone(self) -> None: ...

    # what they look at

    def bound(self, check: Check, within: float | None = None) -> None: ...

    def require(self, check: Check) -> None: ...

    def expect(self, check: Check) -> None: ...

    def eventually(self, check: Check, within: float) -> None: ...

    def arrives(self, message: str, check: Check, within: float) -> None: ...

    def throughout(self, check: Check, for_: float, within: float | None = None) -> None: ...

    def always(self, check: Check) -> None: ...

    def decide(
        self,
        measure: Callable[[], Mapping[str, object]],
        decision: str,
        severity: str,
        within: float,
        rule: str | None = None,
    ) -> None: ...


def _members(kind: type) -> frozenset[str]:
    return frozenset(
        name for name, each in vars(DrillApi).items() if isinstance(each, kind) and not name.startswith("_")
    )


CALLS, FACTS = _members(types.FunctionType), _members(property)
"""The names of the calls, and of what is read without a call."""
