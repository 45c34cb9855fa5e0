"""Collects a repository with pytest in this process."""

from __future__ import annotations

IN_THIS_PROCESS = (
    # pytest warns of plugins that were imported before it began, as they are here; an ini may make that an error
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    # what this process left for the garbage collector before is nothing that the collection found
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
)
"""Options of a `pytest.main` that only collects, in a process that did other things before."""
