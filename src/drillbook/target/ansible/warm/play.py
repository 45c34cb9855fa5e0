# mypy: disable-error-code="no-untyped-call,import-untyped"
# (ansible-core is not typed)
"""What a play of Ansible takes over from the process that it was forked from.

The rule: a play makes anew what Ansible sets for each process while it is imported. Ansible is imported after the
servers have forked, because the process that runs modules must not have imported it.
"""

from __future__ import annotations

import atexit
import os
import secrets

from ansible import constants
from ansible.cli.playbook import main
from ansible.config.manager import ensure_type
from ansible.utils import vars as names
from ansible.utils.display import Display
from ansible.utils.path import cleanup_tmp_file

from drillbook.target.ansible.inside.changes import change_ansible
from drillbook.target.ansible.warm.request import Configuration, Request


class Plays:
    """A fork of this process as a play."""

    ahead = True
    """Whether a fork waits for the next run. By then it has its own pages: a play writes to 4000 of them."""
    ends_with_shim = False
    """Whether it is killed with its shim. A play must stay alive, so that its processes can be found."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        change_ansible()

    def why_cold(self, request: Request) -> str:
        """Why a run cannot be a fork of this process; empty when it can."""
        return self._configuration.differs(Configuration.of(request.environment, request.directory))

    def begin(self) -> None:
        """In a fork that has taken over the run's things."""
        _renew()

    def run(self) -> None:
        """Run ansible-playbook, with the arguments in sys.argv."""
        main()


def _renew() -> None:
    """Make anew what Ansible sets for each process while it is imported."""
    # otherwise ids of tasks repeat from run to run
    names.cur_id = 0
    names.random_int = f"{secrets.randbelow(2**32):08x}"
    # otherwise runs share a folder, and the first to end removes it
    atexit.unregister(cleanup_tmp_file)
    folder = ensure_type(os.path.dirname(constants.DEFAULT_LOCAL_TMP), "tmppath")  # noqa: PTH120
    constants.set_constant("DEFAULT_LOCAL_TMP", folder)
    Display()._set_column_width()  # the terminal's
