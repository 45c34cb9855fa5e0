"""What all drills of a session share."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.model.time_limits import UNDO
from drillbook.safety.journal import Entry, Journal

pytestmark = pytest.mark.unit


def session(root: Path, *pass_env: str, **more: Any) -> DrillSession:
    return DrillSession(root, root / "hosts.yml", root / "evidence", pass_env=pass_env, **more)


def test_secrets_that_a_play_gets_from_the_environment_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "APP_TOKEN": "first-of-them",
        "PGPASSWORD": "second-of-them",
        "DRILLBOOK_DEPLOY_KEY": "third-of-them",
        "DATABASE_URL": "postgresql://app:fourth%2Dof-them@db/app",
        "REGION": "eu-central",
        "NOT_PASSED_TOKEN": "harmless",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    redactor = session(tmp_path, "APP_TOKEN", "PGPASSWORD", "DATABASE_URL", "REGION", "MISSING_TOKEN").redactor
    text = redactor.text("first-of-them second-of-them third-of-them fourth-of-them eu-central harmless")
    assert text == (
        "[REDACTED:APP_TOKEN] [REDACTED:PGPASSWORD] [REDACTED:DRILLBOOK_DEPLOY_KEY] [REDACTED:DATABASE_URL] "
        "eu-central harmless"
    )


def test_a_short_secret_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PASSWORD", "hush")
    assert session(tmp_path, "APP_PASSWORD").redactor.too_short == {"APP_PASSWORD"}


def test_an_undo_is_made_with_all_inventories_of_its_drill(tmp_path: Path) -> None:
    entry = SimpleNamespace(inventory="hosts.yml, more/two.yml", fault="cut")
    assert session(tmp_path, further_inventories=(tmp_path / "more/two.yml",)).inventory_name == entry.inventory
    with pytest.raises(DrillbookError, match=r"drillbook restore --inventory hosts\.yml --inventory more/two\.yml"):
        session(tmp_path).run_undo(cast(Entry, entry))


@pytest.mark.parametrize(
    ("of_entry", "of_ini", "limit_s", "later_s"),
    [
        (None, {}, 300.0, 300.0),
        (7200.0, {}, 7200.0, 7200.0),
        (None, {UNDO: 900.0}, 900.0, 900.0),
        (60.0, {}, 60.0, 60.0),
        # somebody gave it more, since that was not enough
        (60.0, {UNDO: 90.0}, 60.0, 90.0),
        (7200.0, {UNDO: 90.0}, 7200.0, 7200.0),
    ],
)
def test_an_undo_has_the_time_that_its_drill_gave_it_and_later_what_the_ini_gives_if_that_is_more(
    tmp_path: Path, of_entry: float | None, of_ini: dict[str, float], limit_s: float, later_s: float
) -> None:
    given: list[float] = []
    it = session(tmp_path, time_limits=of_ini)
    playbooks = SimpleNamespace(run=lambda _path, _variables, *, timeout_s: given.append(timeout_s))
    switches = SimpleNamespace(undo=lambda _entry, run: run(), states={})
    vars(it).update(playbooks=playbooks, switches=switches)
    journal = Journal(tmp_path / "journal.ndjson")
    journal.plan(
        "e1",
        run_id="run",
        fault="cut",
        variables={},
        inventory="hosts.yml",
        undo_playbook="undo.yml",
        evidence="evidence/run",
        undo_timeout_s=of_entry,
    )
    (entry,) = journal.entries()
    it.run_undo(entry)
    vars(it)["journal"] = journal
    it.restore_leftovers()
    assert given[0] == limit_s and set(given[1:]) == {later_s}
