"""Files and disks that do not take what a drill has to write."""

from __future__ import annotations

from . import ABORTED, INVALID, NOT_RESTORED, Edit, Mutant, added, body

FULL = "import pathlib; (folder,) = pathlib.Path('evidence').glob('*/content'); "


def full(function: str, name: str, look: str) -> Edit:
    """From this step on the disk is full for one file of the evidence: /dev/full answers as a full disk does."""
    return body(
        function,
        look,
        f"{FULL}(folder / {name!r}).unlink(missing_ok=True); (folder / {name!r}).symlink_to('/dev/full')",
    )


LOOK, DOWN = "drill.eventually(WEB.answers(), within=deadline)", "drill.eventually(WEB.silent(), within=deadline)"
NO_SPACE = "evidence cannot be written: No space left on device"

# fmt: off
SURROUNDINGS = (
    Mutant("no place for evidence", "A file is in the way.", ABORTED, "evidence folder cannot be made", added("evidence", "x")),
    Mutant("no record", "The disk is full from the symptoms on.", NOT_RESTORED, NO_SPACE, full("down", ".drill.json.new", DOWN)),
    Mutant("no samples", "The disk is full from the criteria on.", NOT_RESTORED, NO_SPACE, full("up", "samples.ndjson", LOOK)),
    Mutant("no journal", "The undo is not on disk.", INVALID, "undo journal cannot be written: No space left",
           body("healthy", "drill.expect(WEB.answers())",
                "import pathlib; pathlib.Path('.drillbook/journal-mini.ndjson').symlink_to('/dev/full')")),
    Mutant("no place for the journal", "A file is in the way.", ABORTED, r"\.drillbook", added(".drillbook", "x")),
)
# fmt: on
