"""`python -m drillbook` runs the command `drillbook`, for when no script of that name is on the PATH."""

from __future__ import annotations

from drillbook.commands.cli import app

if __name__ == "__main__":
    app(prog_name="drillbook")
