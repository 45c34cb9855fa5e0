"""What the client and its servers agree on: names in the session's folder, and room for another environment.

The rule: it imports little, because the start of the servers waits for it.
"""

from __future__ import annotations

import os

MODULES, PYTHON = "modules", "python"
"""The module server's folder, below the session's, and the program that runs a module through that server."""
RESOLVE = "resolve"
"""The empty folder below the session's for the play that resolves the inventory."""
ARGUMENTS = 4096
VARIABLES = 65536
PAD = "DRILLBOOK_WARM_PAD"


def room() -> tuple[list[str], dict[str, str]]:
    """Arguments and variables for a process that will write others over them (`proc_title`)."""
    return ["." * ARGUMENTS], {PAD: "." * VARIABLES}


def own_environment() -> dict[bytes, bytes]:
    """The environment of this process as bytes, without the room."""
    return {name: value for name, value in os.environb.items() if name != os.fsencode(PAD)}
