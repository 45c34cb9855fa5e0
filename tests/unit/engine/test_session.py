"""What all drills of a session share."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError, GuardError
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.model.times.default_limits import UNDO
from drillbook.safety.journal import Entry, EntryState, Journal
from tests.support.sealing import PASSPHRASE, key

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


def test_a_drill_without_a_key_is_refused_where_one_is_required(tmp_path: Path) -> None:
    session(tmp_path).check_key()
    with pytest.raises(GuardError, match=r"asks for signed evidence, and no key was given: see 'drillbook keygen'"):
        session(tmp_path, require_signed=True).check_key()


def test_a_key_that_a_playbook_can_read_is_told_once_and_one_that_cannot_be_used_refuses(tmp_path: Path) -> None:
    told: list[str] = []
    it = session(tmp_path, key=key(tmp_path), require_signed=True, listener=lambda event: told.append(event["text"]))
    it.check_key()
    it.check_key()
    assert told == ["a playbook can read this key: drill.pem is not encrypted"]
    with pytest.raises(DrillbookError, match="cannot be read"):
        session(tmp_path, key=KeySource(str(tmp_path / "none.pem"))).check_key()


def test_the_passphrase_is_a_secret(tmp_path: Path) -> None:
    it = session(tmp_path, key=KeySource(str(tmp_path / "k"), None, PASSPHRASE))
    assert it.redactor.text(f"it is {PASSPHRASE}") == "it is [REDACTED:DRILLBOOK_KEY_PASSPHRASE]"


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
    inventory = SimpleNamespace(environment=SimpleNamespace(name="lab"))
    vars(it).update(playbooks=playbooks, switches=switches, inventory=inventory)
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


@pytest.mark.parametrize(
    ("run", "states", "says"),
    [
        ("ours", [EntryState.CLOSED], "leave"),
        ("other", [EntryState.INJECTED], "leave"),
        *(("ours", [each], "stay") for each in EntryState if each is not EntryState.CLOSED),
        ("ours", [EntryState.CLOSED, EntryState.UNDO_FAILED], "stay"),
        ("ours", None, "stay"),
    ],
)
def test_the_guardian_leaves_only_when_nothing_of_the_session_is_open(
    tmp_path: Path, run: str, states: list[EntryState] | None, says: str
) -> None:
    """Whatever ended the undos, and also where nobody can read what is open."""
    said: list[str] = []
    it = session(tmp_path, listener=lambda _event: None)
    it.runs.add("ours")
    journal = Journal(tmp_path / "journal.ndjson")
    for number, state in enumerate(states or []):
        entry = f"e{number}"
        more = {"fault": "cut", "variables": {}, "inventory": "i", "undo_playbook": "u", "evidence": "e"}
        journal.plan(entry, run_id=run, **cast(Any, more))
        journal.mark(entry, state)
    if states is None:
        journal.path.write_text("damaged\n")
    vars(it)["journal"] = journal
    vars(it)["guardian"] = SimpleNamespace(
        leave=lambda: said.append("leave"), stay=lambda: said.append("stay"), will_try="it tries"
    )
    it.close()
    assert said == [says]
