"""The cost of `drillbook verify` for 100, 1,000 and 10,000 sealed drills: seconds, memory, and whether both grow as the
evidence does.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import OURS, ROOT, Table, timed

EXAMPLE = ROOT / "tests/data/drill_example/content"
SIZES = (100, 1_000, 10_000)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def verify(runs: int) -> Table:
    """Each drill has the record, the samples, the work and the report of the example."""
    table = Table(
        "drillbook verify",
        "make bench PARTS=verify",
        ("sealed drills", "s", "s CPU", "ms CPU a drill", "peak MB", "MB of evidence"),
    )
    with tempfile.TemporaryDirectory() as made:
        for size in SIZES:
            root = Path(made) / str(size)
            trust, bytes_ = _made(root, size)
            command = [
                OURS / "drillbook",
                "verify",
                root / "evidence",
                "--trust",
                trust,
                "--at",
                "2027-01-01T00:00:00Z",
            ]
            took = [timed(command, root) for _ in range(max(1, min(runs, 20_000 // size)))]
            cpu = statistics.median(each.cpu_s for each in took)
            wall = statistics.median(each.wall_s for each in took)
            peak = max(each.peak_mb for each in took)
            row = (f"{cpu / size * 1000:.2f}", f"{peak:.0f}", f"{bytes_ / 1e6:.0f}")
            table.rows.append((f"{size:,}", f"{wall:.1f}", f"{cpu:.1f}", *row))
            shutil.rmtree(root)
    table.notes.append(
        "Each drill has four files as large as those of the example in tests/data, two statements and two entries of "
        "the ledger. Required: 10,000 in at most 60 s and 500 MB."
    )
    return table


def _made(root: Path, size: int) -> tuple[Path, int]:
    """Make the evidence of this many drills, sealed with one new key. Returns the trust file and the size in bytes.

    A file that is the same in each drill is one file on the disk, with a name in each folder.
    """
    from securesystemslib.signer import CryptoSigner

    from drillbook.evidence.files import folder_name
    from drillbook.evidence.sealing import bundle, envelope, keys, statements
    from drillbook.evidence.sealing.statements import Kind

    signer = CryptoSigner.generate_ed25519()
    evidence = root / "evidence"
    (evidence / "ledger").mkdir(parents=True)
    example = json.loads((EXAMPLE / "drill.json").read_text(encoding="utf-8"))
    shared = {name: root / name for name in ("samples.ndjson", "work.ndjson", "report.html")}
    for name in ("samples.ndjson", "work.ndjson"):
        shutil.copy(EXAMPLE / name, shared[name])
    shared["report.html"].write_bytes(os.urandom(120_000))
    stream, seq, prev, weighs = example["environment"]["name"], 0, statements.FIRST_PREV, 0
    with (evidence / f"ledger/{stream}.jsonl").open("wb") as ledger:

        def entry(kind: Kind, at: datetime, **about: Any) -> str:
            nonlocal seq, prev
            payload = statements.ledger_entry(kind, stream=stream, seq=seq, prev=prev, time=_time(at), about=about)
            ledger.write(envelope.sign(payload, signer) + b"\n")
            seq, prev = seq + 1, statements.sha256(payload)
            return prev

        for number in range(size):
            began = BEGAN + timedelta(minutes=number)
            record = _moved(example, began) | {"run_id": f"{number:06x}".ljust(32, "0")}
            folder = evidence / folder_name(began, record["title"], record["run_id"])
            (folder / "content").mkdir(parents=True)
            text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
            (folder / "content/drill.json").write_bytes(text)
            for name, file in shared.items():
                (folder / "content" / name).hardlink_to(file)
            about = {"run_id": record["run_id"], "folder": folder.name}
            artefacts = statements.artefacts_digest(statements.artefacts_of(record))
            intent = entry(Kind.INTENT, began + timedelta(seconds=1), artefacts=artefacts, **about)
            sums = bundle.sums_of(folder)
            bundle.write_sums(folder, sums)
            predicate = statements.drill_predicate(record, intent=intent, record_digest=statements.sha256(text))
            payloads = (statements.test_result(record), statements.recovery_drill(sums, predicate))
            bundle.write_attestations(folder, [envelope.sign(each, signer) for each in payloads])
            digest = statements.sha256(sums.encode())
            ended = began + timedelta(seconds=50)
            entry(Kind.SEALED, ended, outcome=record["outcome"], sums=digest, intent=intent, **about)
            weighs += sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    trust = root / "trust.json"
    trust.write_text(json.dumps({"keys": [{"keyid": signer.public_key.keyid, "public": keys.public_pem(signer)}]}))
    return trust, weighs


def _moved(record: dict[str, Any], began: datetime) -> dict[str, Any]:
    """The record, changed as if the drill had begun at this time."""
    timeline = [event | {"at": _time(began + timedelta(seconds=event["at_s"]))} for event in record["timeline"]]
    ended = _time(began + timedelta(seconds=45))
    return record | {"started_at": _time(began), "ended_at": ended, "timeline": timeline}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
