"""A decision table is read strictly: each thing that may be wrong with it is one sentence with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.errors import DrillbookError
from drillbook.repository import decision_table
from drillbook.repository.decision_table import FILE, OWN, given, own, own_text, parse, read, table_of
from drillbook.repository.lint import decisions
from drillbook.repository.lint.facts import Repository

pytestmark = pytest.mark.unit

TABLE = """metrics:
  errors: {unit: "%"}
  up: {unit: yes/no, assumed: yes}
rules:
  - id: down
    when: [up is no]
    severity: P0
    decision: roll back now
    within: 15m
    source: runbook, 2
  - id: well
    severity: none
    decision: nothing
    source: everything else
"""


def test_a_table_is_read() -> None:
    table = parse(TABLE, "t.yml")
    assert [(each.id, each.within_s, each.line) for each in table.rules] == [("down", 900.0, 5), ("well", None, 11)]
    assert table.decide({"up": False, "errors": 3}).rule.id == "down"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("up is no", "upp is no", "t.yml:6: in the rule 'down' there is no metric 'upp': known are errors, up."),
        ("[up is no]", "[errors > 5 ms]", "t.yml:6: in the rule 'down' 'errors > 5 ms': errors is counted in %"),
        ("[up is no]", "[errors > 5 %, errors < 3 %]", "t.yml:5: the rule 'down' can never fire"),
        ("[up is no]", "up is no", "t.yml:6: 'when' has to be a list of conditions"),
        ("[up is no]", "[]", "t.yml:6: 'when' has to be a list of conditions"),
        ("    when: [up is no]\n", "", "t.yml:10: the rule 'well' can never fire"),
        ("  - id: well\n", "  - id: well\n    when: [up is yes]\n", "t.yml:11: the last rule has to be one"),
        ("severity: P0", "severity: P5", "t.yml:7: 'severity' is 'P5', and has to be one of: P0; P1; P2; P3; none."),
        ("roll back now", "panic", "t.yml:8: 'decision' is 'panic', and has to be one of: roll back now;"),
        ("within: 15m", "within: soon", "t.yml:9: 'soon' is not a duration"),
        ("within: 15m", "within: 0s", "t.yml:9: 'within' has to be longer than 0 s."),
        ("within: 15m", "withn: 15m", "t.yml:9: a rule has no key 'withn': known are id, when,"),
        ("id: down", "id: Down it is", "t.yml:5: 'Down it is' is no id of a rule"),
        ("id: down", "id: well", "t.yml:11: there are two rules 'well': the other one is in line 5."),
        ("    source: runbook, 2\n", "", "t.yml:5: 'source' is missing, or is no text."),
        ('unit: "%"', "unit: percent", "t.yml:2: 'unit' is 'percent', and has to be one of: %; x; count; yes/no;"),
        ("assumed: yes", "assumed: 3", "t.yml:3: up is 3, and has to be true or false."),
        ("  errors:", "  Errors:", "t.yml:2: 'Errors' is no name of a metric"),
        ("metrics:", "metric:", "t.yml:1: a decision table has no key 'metric': known are metrics, rules."),
        (TABLE, "- a\n", "t.yml:1: a decision table has to be a mapping with the keys metrics, rules."),
        (TABLE[TABLE.index("rules:") :], "rules: []\n", "t.yml:4: 'rules' has to be a list with one rule at least."),
        (TABLE, "rules: [\n", "t.yml:2: this is no YAML"),
        (TABLE[: TABLE.index("rules:")], "", "t.yml:1: 'metrics' has to name the metrics"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in TABLE
    with pytest.raises(DrillbookError) as error:
        parse(TABLE.replace(old, new, 1), "t.yml")
    assert said in str(error.value)


def test_a_repository_has_its_own_table_or_ours(tmp_path: Path) -> None:
    assert table_of(tmp_path).name == OWN
    assert own().rules == table_of(tmp_path).rules
    (tmp_path / "decisions").mkdir()
    (tmp_path / FILE).write_text(TABLE)
    assert table_of(tmp_path).name == FILE
    (tmp_path / FILE).write_text(own_text())
    assert table_of(tmp_path).rules == own().rules, "what --show prints is a table to begin one's own with"


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DrillbookError, match="the decision table cannot be read"):
        read(tmp_path / "no.yml")


def test_lint_finds_a_wrong_table(tmp_path: Path) -> None:
    assert list(decisions.check(Repository(tmp_path))) == []
    (tmp_path / "decisions").mkdir()
    (tmp_path / FILE).write_text(TABLE.replace("up is no", "upp is no"))
    (found,) = decisions.check(Repository(tmp_path))
    (tmp_path / FILE).write_bytes(b"\xff")
    (unreadable,) = decisions.check(Repository(tmp_path))
    assert str(unreadable).startswith(
        f"{FILE}:1: decision-table: {FILE}: the decision table cannot be read: it is no UTF-8"
    )
    assert str(found) == (
        "decisions/rollback.yml:6: decision-table: in the rule 'down' there is no metric 'upp': known are errors, up."
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["errors"], "'errors' is no metric: write METRIC=VALUE"),
        (["errors=1", "errors=2"], "errors is given twice"),
        (["error=1"], "there is no metric 'error': known are errors, up."),
        (["up=maybe"], "'up=maybe': it is yes or no."),
    ],
)
def test_metrics_of_a_person_are_read_strictly(words: list[str], said: str) -> None:
    with pytest.raises(DrillbookError) as error:
        given(words, parse(TABLE, "t.yml"))
    assert said in str(error.value)


def test_the_table_is_in_the_wheel() -> None:
    assert (Path(decision_table.__file__).parent / "rollback.yml").is_file(), "hatch packs what lies below the package"
