"""`drillbook verify`: whether evidence is whole, and who says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import Call, said_plainly, tell
from drillbook.errors import DrillbookError
from drillbook.evidence.gate.verified import holds_proofs, verify_proofs
from drillbook.evidence.store.reach import readable
from drillbook.evidence.verifying import telling
from drillbook.evidence.verifying.findings import Head, Weight
from drillbook.evidence.verifying.times import DEFAULT_SKEW_S, Clock
from drillbook.evidence.verifying.trust import moment
from drillbook.evidence.verifying.whole import Options, verify_path
from drillbook.model.times.clock import wall_now
from drillbook.model.times.durations import duration, parse_duration

app = typer.Typer(add_completion=False)
_HEAD = re.compile(r"(.+):(\d{1,18}):([0-9a-f]{64})")


@app.command(cls=Call)
def verify(
    path: Annotated[
        str,
        typer.Argument(
            help="a folder of evidence, the folder of one drill, a folder of kept proofs, or the URL of a store"
        ),
    ] = "evidence",
    trust: Annotated[
        Path | None, typer.Option("--trust", help="the keys that you trust; yours, never the bundle's", metavar="FILE")
    ] = None,
    expect_head: Annotated[
        list[str] | None,
        typer.Option("--expect-head", help="a head that was kept elsewhere", metavar="STREAM:SEQ:HEX"),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="as if it were this time (UTC, with Z)", metavar="TIME")
    ] = None,
    max_skew: Annotated[
        str, typer.Option("--max-skew", help="by how much clocks may be wrong", metavar="DURATION")
    ] = duration(DEFAULT_SKEW_S).replace(" ", ""),
    *,
    tsa_root: Annotated[
        Path | None, typer.Option("--tsa-root", help="certificates (PEM) of who stamps times", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Verify evidence offline: files, signatures and the ledger. Exit status 0 only when it is whole.

    1: whole, and a drill failed. 2: broken. 3: it cannot be verified. 64: a wrong call.
    """
    with said_plainly():
        heads = tuple(_head(each) for each in expect_head or ())
        options = Options(_clock(at, max_skew), heads, None if tsa_root is None else _roots(tsa_root))
    with said_plainly(Weight.UNKNOWN.exit_status):
        place = readable(path, tell)
    try:
        verified = verify_proofs if holds_proofs(place) else verify_path
        report = verified(place, trust, options)
    except Exception as error:  # noqa: BLE001 - a stranger made the input; Python's own status, 1, would be a verdict
        tell(f"{path}: it cannot be verified: Drillbook itself failed ({type(error).__name__}: {error})")
        raise typer.Exit(Weight.UNKNOWN.exit_status) from None
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, sort_keys=True))
    else:
        for line in telling.lines(report):
            typer.echo(line)
    raise typer.Exit(report.exit_status)


def _clock(at: str | None, skew: str) -> Clock:
    now = wall_now() if at is None else moment(at)
    if now is None:
        raise DrillbookError(f"--at {at}: write the time in UTC as 2026-11-30T00:00:00Z")
    try:
        return Clock(now, parse_duration(skew))
    except ValueError:
        raise DrillbookError(f"--max-skew {skew}: write a duration as 90s, 5min or 1h") from None


def _roots(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DrillbookError(f"--tsa-root {file}: it cannot be read: {error.strerror}") from None


def _head(text: str) -> Head:
    found = _HEAD.fullmatch(text)
    if found is None:
        raise DrillbookError(
            f"--expect-head {text}: write STREAM:SEQ:HEX as a session prints it at its end, with 64 hexadecimal digits"
        )
    return Head(found[1], int(found[2]), found[3])
