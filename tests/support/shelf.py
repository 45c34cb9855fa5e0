"""A folder of evidence with as many drills in it as a test is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drillbook.evidence.files import dumps
from drillbook.model.record import Record
from tests.support import records


def put(root: Path, name: str, document: Record | dict[str, Any], file: str = "drill.json") -> Path:
    """Write a record, or the content of another file, as the evidence folder `name`."""
    content = root / name / "content"
    content.mkdir(parents=True)
    text = dumps(document.as_json() if isinstance(document, Record) else document)
    (content / file).write_text(text, encoding="utf-8")
    return content.parent


def drill(root: Path, hour: int, run: str, title: str = records.TITLE, *tags: str, **more: Any) -> Path:
    """The drill `run` (six digits) that began at this hour of a day."""
    scenario = records.scenario(title, *tags)
    scenario.runbooks = [tag.partition(":")[2] for tag in tags if tag.startswith("runbook:")]
    started = f"2026-11-22T{hour:02d}:00:00.000Z"
    record = records.record(run_id=run.ljust(32, "0"), started_at=started, scenario=scenario, **more)
    return put(root, f"20261122T{hour:02d}0000Z-{title.lower().replace(' ', '-')}-{run}", record)
