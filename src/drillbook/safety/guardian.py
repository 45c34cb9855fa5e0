"""The guardian: a small process beside a drill, which puts everything back when the drill dies.

The rule: the journal says what is broken, so the undo needs no living drill. The guardian starts before the first
fault, in a session of its own, and only waits for the drill's process to end. The drill says goodbye only when no fault
is open. If its process ends without that, the guardian ends what the drill left running, takes the environment's lock,
undoes every open entry and closes the record. Then the guardian ends.

This is the drill's side. The process itself is `PROCESS`, which the drill starts by its name, as it starts every other
program.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from drillbook.errors import GuardError
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.model import paths
from drillbook.safety.words_of_guardian import BYE, READY

PROCESS = "drillbook.commands.guardian_process"


class Guardian:
    """The drill's side: it starts the guardian, knows whether it is there, and lets it go."""

    def __init__(
        self,
        root: Path,
        inventory: Path,
        environment: str,
        owner: str,
        pass_env: tuple[str, ...] = (),
        *,
        further: tuple[Path, ...] = (),
        key: KeySource | None = None,
        reports: bool = True,
    ) -> None:
        """`owner` marks the plays of this process; `environment` is the environment's name; `reports` is whether the
        report of a dead drill is written.

        The guardian gets `key`, which signs what it seals, by a pipe.
        """
        self._key = key
        self._command = [
            *(sys.executable, "-P", "-m", PROCESS),
            *("--root", str(root), "--inventory", str(inventory)),
            *("--environment", environment, "--owner", owner, "--pid", str(os.getpid())),
            *(f"--pass-env={name}" for name in pass_env),
            *(f"--further-inventory={path}" for path in further),
            *(["--key"] if key is not None else []),
            *([] if reports else ["--no-report"]),
        ]
        self._log = paths.guardian_log(root, environment)
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        """The guardian's process, once started."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, without waiting; does nothing while one is there. Raises GuardError."""
        if self._process is not None and self._process.poll() is None:
            return
        self._let_go()
        try:
            self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                # a session of its own: what ends the drill's terminal or process group does not end the guardian
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._root,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
            if self._key is not None and self._process.stdin is not None:
                self._process.stdin.write(self._key.as_line())
                self._process.stdin.flush()
        except OSError as error:
            raise GuardError(
                f"the guardian cannot be started ({error.strerror}): no fault happens without it"
            ) from error
        self._is_ready = False

    def ensure(self, within_s: float = 20.0) -> bool:
        """Return when a guardian stands by; False when it had to be started again. Raises GuardError."""
        again = self._process is not None and self._process.poll() is not None
        self.start()
        assert self._process is not None
        assert self._process.stdout is not None
        if not self._is_ready:
            told, _, _ = select.select([self._process.stdout], [], [], within_s)
            self._is_ready = bool(told) and os.read(self._process.stdout.fileno(), 64) == READY
        if not self._is_ready:
            raise GuardError(f"the guardian did not start (see {self._log}): no fault happens without it")
        return not again

    def leave(self) -> None:
        """The session ends in order: the guardian ends, too."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(BYE)
                self._process.stdin.flush()
        self._let_go()

    def stay(self) -> None:
        """The session ends while a fault is open: the guardian acts as soon as this process has ended."""
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    @property
    def will_try(self) -> str:
        """What the guardian does after `stay`, as a sentence."""
        log = paths.relative(self._log, self._root)
        return f"the guardian tries to put it back once this process has ended, and tells of it in {log}"

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
