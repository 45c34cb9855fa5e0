"""The command: drill all requested scenarios, write the table, return the exit status."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from drillbook.commands.fleet.fleet import Fleet
from drillbook.commands.fleet.listing import Listing, listed
from drillbook.commands.fleet.results import Results, Say
from drillbook.commands.prove import worst_status
from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, folder_name, write_atomically
from drillbook.evidence.render.drill_table import (
    HEADINGS,
    NOT_RUN,
    TableRow,
    Venue,
    as_json,
    cells,
    markdown,
    row_of,
)
from drillbook.evidence.store.reach import push
from drillbook.model import paths
from drillbook.model.times.clock import wall_now
from drillbook.model.verdict import Outcome

MORE_THAN_CORES = 2
"""The default number of labs beyond the number of cores."""
NO_LAB = 70
"""Status of a scenario that no lab took."""


def run(features: Sequence[str], labs: int | None, options: Sequence[str], say: Say) -> int:
    """Drill the requested scenarios, write the table below the evidence folder, and return the exit status.

    `options` are pytest's. An inventory that is not a lab's gets no labs. Raises DrillbookError.
    """
    if labs is not None and labs < 1:
        raise DrillbookError(f"--labs {labs}: at least one lab is needed")
    if any(each.partition("=")[0] == "--summary" for each in options):
        raise DrillbookError("--summary is for one session of pytest: for all drills drills.json says the same")
    listing = listed(features, options)
    venue = _venue(listing, labs)
    folder = listing.evidence / folder_name(wall_now(), "drills", uuid.uuid4().hex) / "content"
    folder.mkdir(parents=True)
    number = len(listing.scenarios)
    at_once = venue if venue.labs is None else replace(venue, labs=min(venue.labs, number))
    say(f"{number} drills with their controls, {at_once}")
    began_s = time.monotonic()
    fleet = Fleet(listing, venue.labs, tuple(options), folder, results := Results(say, listing.titles))
    fleet.run()
    took_s = time.monotonic() - began_s
    rows = [
        results.ended.get(each.nodeid) or row_of(results.shown(each), (), None, NOT_RUN) for each in listing.scenarios
    ]
    write_atomically(folder / "drills.json", dumps(as_json(rows, took_s, venue)))
    text = markdown(rows, took_s, venue)
    write_atomically(folder / "drills.md", text)
    say("")
    say(_aligned(rows))
    say(text.splitlines()[0])
    say(f"{folder}/drills.md")
    _to_the_store(listing, say)
    if fleet.children.stopped_by is not None:
        say(f"stopped by {fleet.children.stopped_by}")
        return Outcome.ABORTED.exit_status
    left = len(rows) - len(results.ended)
    if fleet.enough and left:
        say(f"stopped after {results.failures} failures, as --maxfail or -x asks: {left} not run")
    missing = [NO_LAB] * (left if fleet.broken_by is None and not fleet.enough else 0)
    status = worst_status([*results.statuses, *missing])
    return status if status or all(row.good for row in rows) else Outcome.INVALID.exit_status


def _to_the_store(listing: Listing, say: Say) -> None:
    """The sessions have uploaded their drills, but could not know the table."""
    if listing.kept_at is None or listing.kept_at.url is None:
        return
    try:
        forked = push(listing.kept_at, paths.kept(listing.root), waiting_only=True).forked
    except DrillbookError as error:
        forked = [f"{error}; the next session uploads what waits, or 'drillbook evidence push'"]
    for sentence in forked:
        say(sentence)


def _venue(listing: Listing, labs: int | None) -> Venue:
    if listing.on_labs:
        return Venue(listing.inventory, (os.cpu_count() or 1) + MORE_THAN_CORES if labs is None else labs)
    if labs is not None:
        raise DrillbookError(
            f"--labs {labs}: the inventory {listing.inventory} does not describe an embedded lab (it does not read "
            "DRILLBOOK_LAB_STATE): leave --labs out, and its one environment is drilled"
        )
    return Venue(listing.inventory)


def _aligned(rows: Sequence[TableRow]) -> str:
    table = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
