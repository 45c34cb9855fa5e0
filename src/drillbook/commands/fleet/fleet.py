"""Labs side by side, each with one pytest at a time, or one staging, until every scenario is proven.

A drill mostly waits: with its lab it takes almost half a core. But labs that starve each other never end their backlog,
and fail over while Redis is only slow. So the default is two labs more than cores: four keep 2 cores busy to 90 %.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.commands.children import Children, StoppedError
from drillbook.commands.fleet.handing_out import HandingOut
from drillbook.commands.fleet.lab import Lab
from drillbook.commands.fleet.listing import Listing
from drillbook.commands.fleet.results import Results
from drillbook.commands.fleet.session import Session
from drillbook.commands.fleet.staging import Place, Staging
from drillbook.errors import DrillbookError
from drillbook.evidence.render.drill_table import Scenario
from drillbook.target.private_folders import LABS, PrivateFolder, left

_SAID = {
    True: "\nstopping: each drill puts its system back, and labs are ended\n",
    False: "\nbeing stopped already: the systems are put back, which takes up to a minute\n",
}


@dataclass
class Fleet:
    """The labs, their remaining work, and their results. Logs go into `folder`.

    Without `labs` it is the environment of the inventory, where one drill follows the other.
    """

    listing: Listing
    labs: int | None
    options: tuple[str, ...]
    folder: Path
    results: Results
    children: Children = field(default_factory=Children)
    broken_by: Scenario | None = None
    """The drill that left the staging broken: nothing further ran there."""
    _id: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    @property
    def enough(self) -> bool:
        """Whether so much has failed that the rest is not drilled."""
        return 0 < self.listing.most_failures <= self.results.failures

    def run(self) -> None:
        """Prove every scenario; returns when all labs are gone."""
        todo = HandingOut(self.listing.scenarios)
        if self.labs is None:
            self._on_threads([threading.Thread(target=self._on_staging, args=(todo,), name="staging")])
            return
        self._take_down_what_others_left()
        with PrivateFolder(LABS) as states:
            threads = [
                threading.Thread(target=self._in_labs, args=(number, states, todo), name=f"lab-{number}")
                for number in range(1, min(self.labs, len(self.listing.scenarios)) + 1)
            ]
            self._on_threads(threads)

    def _take_down_what_others_left(self) -> None:
        """Take down the labs of killed commands: they run on and use this machine."""
        for folder in left(LABS):
            for state in sorted(folder.iterdir()):
                lab = Lab(
                    f"lab-left-{state.name}", state, self.folder / "left.log", self.listing.root, self.results.tell
                )
                lab.take_down(self.children)
            shutil.rmtree(folder, ignore_errors=True)

    def _on_threads(self, threads: Sequence[threading.Thread]) -> None:
        """Run it on threads: the main thread is for the signals."""
        with self.children.stopping_on_signals(_SAID):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _on_staging(self, todo: HandingOut) -> None:
        """One drill after the other. After a drill that left the staging broken, none runs."""
        staging = Staging(self.listing.inventory)
        with suppress(StoppedError), staging.up(self.children):
            self.broken_by = self._serve(staging, todo)
        if self.broken_by is not None:
            title = self.results.shown(self.broken_by).name
            self.results.tell(f"{staging.name}: left broken by '{title}': nothing further is drilled there")

    def _in_labs(self, number: int, states: Path, todo: HandingOut) -> None:
        """One lab after the other in this place: a lab that was left broken is thrown away."""
        for again in range(len(self.listing.scenarios)):
            name = f"lab-{self._id}-{number}" + (f"-{again + 1}" if again else "")
            state, log = states / f"{number}-{again}", self.folder / f"{name}.log"
            lab = Lab(name, state, log, self.listing.root, self.results.tell)
            try:
                with lab.up(self.children):
                    broken_by = self._serve(lab, todo)
                if broken_by is None:
                    return
                title = self.results.shown(broken_by).name
                self.results.tell(f"{name}: left broken by '{title}': another one takes its place")
            except StoppedError:
                return
            except DrillbookError as error:
                self.results.tell(f"{name}: {error}")
                return
            finally:
                todo.leave(name)

    def _serve(self, place: Place, todo: HandingOut) -> Scenario | None:
        """Prove scenarios until there is none; returns the one that left the place broken."""
        while (first := self._next(place, todo)) is not None:
            session = Session(place, self.listing, self.options, self.results, first, lambda: self._next(place, todo))
            session.run(self.children, self.folder)
            if session.broken_by is not None:
                return session.broken_by
        return None

    def _next(self, place: Place, todo: HandingOut) -> Scenario | None:
        """Nothing new begins after a stop, or after as many failures as `-x` and `--maxfail` allow."""
        return todo.next(place.name) if self.children.stopped_by is None and not self.enough else None
