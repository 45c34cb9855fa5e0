"""What sealing costs a drill: its intent before the fault, and its bundle at the end."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from common import ROOT, Table

SECRETS, SAMPLES = 30, 12_000
PASSPHRASE = "correct horse battery staple"
WAYS = ("unsigned", "signed", "signed, a key in clear", "signed, 1000 entries in the ledger")


def seal(runs: int) -> Table:
    """The milliseconds of a session's first drill and of the next ones."""
    table = Table(
        "Sealing a drill",
        "make bench PARTS=seal",
        ("ms", "intent, first", "seal, first", "intent", "seal", "CPU, first", "CPU, next"),
    )
    for way in WAYS:
        found = sorted((_apart(way) for _ in range(runs)), key=lambda each: each["first"])
        row = found[len(found) // 2]
        names = ("intent_first", "seal_first", "intent", "seal", "cpu_first", "cpu")
        table.rows.append((way, *(f"{row[name] * 1000:.0f}" for name in names)))
    table.notes.append(
        f"A drill with its report and {SAMPLES} samples ({_megabytes():.1f} MB), {SECRETS} known secrets, in a process "
        "of its own each. The first of a session opens the key; its baseline has imported what signs."
    )
    return table


def _megabytes() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return sum(path.stat().st_size for path in _drill(Path(folder), 0).rglob("*.*")) / 1e6


def _drill(root: Path, number: int) -> Path:
    """The example drill with a report, and with as many samples as four endpoints have in ten minutes."""
    from drillbook.evidence.render.html import page

    folder = root / "evidence" / f"20261122T120000Z-it-{number:06x}"
    shutil.copytree(ROOT / "tests/data/drill_example/content", folder / "content")
    record = json.loads((folder / "content/drill.json").read_text())
    record |= {"run_id": f"{number:032x}", "environment": {"name": "bench", "kind": "lab"}}
    (folder / "content/drill.json").write_text(json.dumps(record, indent=2, sort_keys=True))
    page.report(folder)
    rows = (folder / "content/samples.ndjson").read_text().splitlines(keepends=True)
    (folder / "content/samples.ndjson").write_text("".join((rows * (SAMPLES // len(rows) + 1))[:SAMPLES]))
    return folder


def _apart(way: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        _prepared(Path(folder), way)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_measured, args=(Path(folder), way, theirs))
        process.start()
        found: dict[str, float] = ours.recv()
        process.join()
    return found


def _prepared(root: Path, way: str) -> None:
    from drillbook.evidence.sealing import keys
    from drillbook.evidence.sealing.statements import Kind

    for number in range(4):
        _drill(root, number)
    keys.write_new(root / "drill.pem", keys.new_key(None if "clear" in way else PASSPHRASE))
    if "1000" in way:
        ledger = _sealer(root, way).ledger("bench")
        for number in range(1000):
            ledger.append(Kind.INTENT, {"run_id": f"{number:032x}x", "folder": "x"})


def _sealer(root: Path, way: str) -> Any:
    from drillbook.evidence.redaction import Redactor
    from drillbook.evidence.sealing.key_source import KeySource
    from drillbook.evidence.sealing.sealer import Sealer

    redactor = Redactor()
    for number in range(SECRETS):
        redactor.add(f"secret {number}", f"Xq7-{number}-tB2w-Lm9z-{number}")
    source = KeySource(str(root / "drill.pem"), None, PASSPHRASE)
    return Sealer(root / "evidence", None if way == "unsigned" else source, redactor)


def _measured(root: Path, way: str, told: Any) -> None:
    sealer = _sealer(root, way)
    sealer.redactor.text("the drill's own writing has worked out the forms of its secrets")
    sealer.get_ready()  # a drill does this when it begins, and its baseline lasts longer
    for each in threading.enumerate():
        if each.name == "drillbook-signing":
            each.join()
    times: list[tuple[float, float, float]] = []
    for folder in sorted((root / "evidence").glob("2026*")):
        began_s, cpu_s = time.monotonic(), time.process_time()
        intent = sealer.intent(folder) if sealer.signs else None
        declared_s = time.monotonic()
        sealer.seal(folder, intent)
        times.append((declared_s - began_s, time.monotonic() - declared_s, time.process_time() - cpu_s))
    first, *rest = times
    intent_s, seal_s, used_s = sorted(rest)[len(rest) // 2]
    told.send(
        {
            "first": sum(first[:2]),
            "intent_first": first[0],
            "seal_first": first[1],
            "cpu_first": first[2],
            "intent": intent_s,
            "seal": seal_s,
            "cpu": used_s,
        }
    )
