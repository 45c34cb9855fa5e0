"""Files and disks that do not take what a drill has to write."""

from __future__ import annotations

from . import ABORTED, INVALID, Mutant, added, body

LOOK, UP = "drill.expect(WEB.answers())", "drill.eventually(WEB.answers(), within=deadline)"
DOWN = "drill.eventually(WEB.silent(), within=deadline)"
CONTENT = "import pathlib; (content,) = pathlib.Path('evidence').glob('*/content')"
# /dev/full takes nothing, as a full disk. Only where nobody reads: a read of it never ends
FULL_DISK = f"{CONTENT}; (content / '.drill.json.new').symlink_to('/dev/full')"
NO_SAMPLES = f"{CONTENT}; (content / 'samples.ndjson').unlink(); (content / 'samples.ndjson').mkdir()"
NO_JOURNAL = "import pathlib; pathlib.Path('.drillbook/journal-mini.ndjson').symlink_to('nowhere/at/all')"
NO_DISK, NO_FILE = "evidence cannot be written: No space left on device", "evidence cannot be written: Is a directory"

# fmt: off
SURROUNDINGS = (
    Mutant("no place for evidence", "A file is in the way.", ABORTED, "evidence folder cannot be made",
           added("evidence", "x")),
    Mutant("no record", "The disk is full in the middle.", INVALID, NO_DISK, body("down", DOWN, FULL_DISK)),
    Mutant("no samples", "What was seen cannot be kept.", INVALID, NO_FILE, body("up", UP, NO_SAMPLES)),
    Mutant("no journal", "The undo is not on disk.", INVALID, "the undo journal cannot be written",
           body("healthy", LOOK, NO_JOURNAL)),
    Mutant("no place for the journal", "A file is in the way.", ABORTED, "the lock cannot be made",
           added(".drillbook", "x")),
)
# fmt: on
