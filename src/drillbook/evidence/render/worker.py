"""A process that draws the session's reports. It imports matplotlib while the first drill still runs.

The rule: no drill waits longer for it than for drawing in the drill's own process, and no report is missing because of
it. When it is gone, silent or cannot start, the drill's process draws the page.

Protocol: one folder for each line of its standard input, one line of JSON as the answer: the error's sentence, or null.
It ends with its input, which also ends when the session is killed.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from drillbook.errors import DrillbookError

ANSWER_S = 60.0
_NICENESS = 10


class ReportWorker:
    """The process; its constructor does not wait for it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is the drill's business
            )

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def report(self, folder: Path) -> None:
        """Write content/report.html of an evidence folder. Raises DrillbookError for any error."""
        answer = self._ask(folder)
        sentence = _drawn(folder) if answer is None else json.loads(answer)
        if sentence is not None:
            raise DrillbookError(sentence)

    def _ask(self, folder: Path) -> str | None:
        """Its answer; None when there is none, and then the process is ended."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return None
        try:
            self._process.stdin.write(json.dumps(str(folder.absolute())) + "\n")
            self._process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                # a whole line or the end: it writes an answer at once
                answer = self._process.stdout.readline() if selector.select(ANSWER_S) else ""
        except OSError:
            answer = ""
        if answer.endswith("\n"):
            return answer
        self._process.kill()
        self.close()
        return None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            process.communicate()


def write_report(folder: Path) -> None:
    """Write content/report.html of an evidence folder, in this process. Raises DrillbookError."""
    # 0.6 s of CPU, which nobody should pay before there is a page to draw
    from drillbook.evidence.render.html import page

    page.report(folder)


def _drawn(folder: Path) -> str | None:
    """Draw the page; returns the sentence of an error, if any."""
    try:
        write_report(folder)
    except DrillbookError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - any error of a rendering is told, and is not the drill's
        return f"{type(error).__name__}: {error}"
    return None


def main() -> None:
    """The process."""
    os.nice(_NICENESS)  # importing must not disturb what the drill measures
    # here and not above: the drill's own process also imports this module, and draws nothing
    from drillbook.evidence.render.plots.warm_up import warm_up

    warm_up()
    for line in sys.stdin:
        print(json.dumps(_drawn(Path(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
