"""Paths as evidence, the journal and people are told them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drillbook.model import paths

pytestmark = pytest.mark.unit


def test_the_parts_of_a_fault_lie_beside_each_other() -> None:
    assert paths.fault("network_cut") == "playbooks/faults/network_cut/inject.yml"
    assert paths.fault("network_cut", paths.UNDO) == "playbooks/faults/network_cut/undo.yml"
    assert paths.fault("network_cut", paths.SWITCH) == "playbooks/faults/network_cut/switch.yml"
    assert paths.recovery("redis/start") == "playbooks/recovery/redis/start.yml"


def test_evidence_names_no_place_of_the_machine_and_the_journal_does(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "repository", tmp_path / "evidence" / "one"
    below = root / "inventories" / "lab"
    below.mkdir(parents=True)
    assert paths.relative(below, root) == paths.located(below, root) == "inventories/lab"
    assert paths.relative(root / "inventories" / ".." / "x", root) == "x"
    assert paths.relative(elsewhere, root) == "one"
    assert paths.located(elsewhere, root) == str(elsewhere.resolve())


def test_people_are_shown_a_path_as_it_was_given(tmp_path: Path) -> None:
    assert paths.shown(tmp_path / "steps" / "a.py", tmp_path) == "steps/a.py"
    assert paths.shown(Path("/srv/steps/a.py"), tmp_path) == "/srv/steps/a.py"


@pytest.mark.parametrize("name", ["lab", "prod-eu", "Staging_2.1", "my lab"])
def test_a_plain_name_of_an_environment_stands_in_its_files_as_it_is(name: str, tmp_path: Path) -> None:
    kept = tmp_path / ".drillbook"
    assert paths.journal(tmp_path, name) == kept / f"journal-{name}.ndjson"
    assert paths.lock(paths.kept(tmp_path), name) == kept / f"lock-{name}"
    assert paths.guardian_log(tmp_path, name) == kept / f"guardian-{name}.log"


def test_any_name_is_one_file(tmp_path: Path) -> None:
    for name in ("../eu/1", "/", "", "ä", "a\n", "%"):
        assert paths.lock(tmp_path, name).parent == tmp_path


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2))
@example({"my lab", "my-lab"})
@example({"%", "%25"})
def test_two_environments_never_share_a_file(names: set[str]) -> None:
    assert len({paths.unique_file_part(name) for name in names}) == 2


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("playbooks/recovery/roll_back.yml", "roll_back.yaml"),
        ("playbooks/recovery/roll_back.yml", "roll-back.yml"),
        ("playbooks/recovery/redis/start.yml", "Start.YML"),
        ("playbooks/faults/cut/undo.yml", "undo.yaml"),
        ("playbooks/faults/cut/switch.yml", "switch.YAML"),
    ],
)
def test_a_playbook_under_a_name_that_nobody_looks_for_is_named(tmp_path: Path, wanted: str, there: str) -> None:
    assert paths.misnamed(tmp_path, wanted) == ""
    folder = (tmp_path / wanted).parent
    folder.mkdir(parents=True)
    for other in ("other.yaml", "roll_back.txt", "undo.yaml.bak"):
        (folder / other).touch()
    assert paths.misnamed(tmp_path, wanted) == ""
    (folder / there).touch()
    assert paths.misnamed(tmp_path, wanted) == f" (there is {there}: rename it to {Path(wanted).name})"


@given(st.sets(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), max_size=3))
def test_the_environments_of_a_checkout_are_read_off_its_files(names: set[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        paths.kept(root).mkdir()
        for name in names:
            paths.journal(root, name).touch()
            paths.lock(paths.kept(root), name).touch()
        assert {name for name, _ in paths.journals(root)} == names
        assert {name for name, _ in paths.locks(paths.kept(root))} == names
