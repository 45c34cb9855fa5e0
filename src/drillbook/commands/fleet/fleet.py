"""Labs side by side, each with one pytest at a time, until every scenario is proven.

A drill mostly waits, and with its lab takes almost half a core; but labs that starve each other never end their
backlog, and fail over while Redis is only slow. So there are two more than cores unless a number is asked for: four
keep 2 cores busy to 90 %.
"""

from __future__ import annotations

import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.commands.children import Children, StoppedError
from drillbook.commands.fleet.handing_out import HandingOut
from drillbook.commands.fleet.lab import Lab
from drillbook.commands.fleet.listing import Listing
from drillbook.commands.fleet.results import Results
from drillbook.commands.fleet.session import Session
from drillbook.errors import DrillbookError
from drillbook.evidence.render.drill_table import Scenario

_SAID = {
    True: "\nstopping: each drill puts its system back, and the labs are ended\n",
    False: "\nbeing stopped already: the systems are put back, which takes up to a minute\n",
}


@dataclass
class Fleet:
    """The labs, what they still have to do, and what they did. Logs go into `folder`."""

    listing: Listing
    labs: int
    options: tuple[str, ...]
    folder: Path
    results: Results
    children: Children = field(default_factory=Children)
    _id: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    def run(self) -> None:
        """Prove every scenario; returns when all labs are gone."""
        todo = HandingOut(self.listing.scenarios)
        # short: a socket's path has 95 characters
        with tempfile.TemporaryDirectory(prefix="dblabs-", ignore_cleanup_errors=True) as states:
            threads = [
                threading.Thread(target=self._place, args=(number, Path(states), todo), name=f"lab-{number}")
                for number in range(1, min(self.labs, len(self.listing.scenarios)) + 1)
            ]
            with self.children.stopping_on_signals(_SAID):
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

    def _place(self, number: int, states: Path, todo: HandingOut) -> None:
        """One lab after the other in this place: one that was left broken is thrown away."""
        for again in range(len(self.listing.scenarios)):
            name = f"lab-{self._id}-{number}" + (f"-{again + 1}" if again else "")
            state, log = states / f"{number}-{again}", self.folder / f"{name}.log"
            lab = Lab(name, state, log, self.listing.root, self.results.tell)
            try:
                with lab.up(self.children):
                    if self._serve(lab, todo):
                        return
            except StoppedError:
                return
            except DrillbookError as error:
                self.results.tell(f"{name}: {error}")
                return
            finally:
                todo.leave(name)

    def _serve(self, lab: Lab, todo: HandingOut) -> bool:
        """Prove scenarios until there is none; False when the lab is not whole any more."""
        while (first := todo.next(lab.name)) is not None:
            session = Session(lab, self.listing, self.options, self.results, first, lambda: self._next(lab, todo))
            session.run(self.children, self.folder)
            if session.broken_by is not None:
                self.results.tell(f"{lab.name}: left broken by '{session.broken_by.name}': another one takes its place")
                return False
        return True

    def _next(self, lab: Lab, todo: HandingOut) -> Scenario | None:
        """Nothing new begins once the command is stopped."""
        return todo.next(lab.name) if self.children.stopped_by is None else None
