"""The final balance: what was seen at its end decides, and what nobody saw is no failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from drillbook.checks import Check
from drillbook.engine import restore
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.restore import Restore
from drillbook.engine.under_way import UnderWay
from drillbook.errors import CouldNotLookError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.writer import Recorder
from drillbook.model.objectives import Objectives
from drillbook.model.times.clock import Anchor
from drillbook.model.verdict import FindingKind
from drillbook.model.work_balance import Account, Answered, Attempt, account
from drillbook.target.inventory.settings import Endpoint, EndpointKind, Work
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import Watched, look_once
from tests.support.records import record

pytestmark = pytest.mark.unit

LOST = account([Attempt("job", 1.0, 2.0, Answered.ACKNOWLEDGED)], {})


class Books(Load):
    """Work whose books say this, look by look; None: they are not to be read."""

    def __init__(self, *say: Account | None) -> None:
        database = Endpoint("books", EndpointKind.SQL, "postgresql://127.0.0.1:1/app")
        super().__init__(Prober({}), Work("http://127.0.0.1:1", "books", "select 1"), database, "run-")
        self.say = list(say)

    def balance(self, until_s: float | None = None) -> Account:
        said = self.say.pop(0)
        if said is None:
            raise CouldNotLookError("the books are not to be read")
        return said


def every_look(_prober: Prober, check: Check, **_when: float) -> Watched:
    """Waiting until the books have said it all, whatever the time."""
    assert callable(check.source)
    seen = [check.judge(look_once(check.name, check.source)) for _ in range(2)]
    return Watched(None, seen[-1], len(seen), 0)


@pytest.mark.parametrize(
    ("say", "kind", "sentence"),
    [
        ((None, LOST), FindingKind.FAILED, "1 acknowledged, 0 completed, 1 lost"),
        ((LOST, None), FindingKind.UNKNOWN, "the books are not to be read"),
    ],
)
def test_the_last_look_decides(
    say: tuple[Account | None, ...],
    kind: FindingKind,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "watch", every_look)  # the real one waits a minute for sound books
    kept = record()
    recorder = Recorder(tmp_path / "run", kept, Redactor(), lambda _event: None)
    log = DrillLog(Anchor(), kept, recorder, Objectives.of(frozenset()))
    drill = UnderWay(
        session=cast(Any, None),
        scenario=cast(Any, None),
        objectives=Objectives.of(frozenset()),
        run_id="",
        log=log,
        prober=Prober({}),
        abort=cast(Any, None),
        settled_s=0.0,
        load=Books(*say),
    )
    Restore(drill)._balance()
    (found,) = log.findings
    assert found.kind is kind
    assert sentence in found.sentence
    assert kept.work is not None and kept.work.lost_count == 1
