"""Starts ansible-playbook with the changes of a drill (`changes.py`).

python program.py /.../bin/ansible-playbook ARGUMENT...

The rule: apart from those changes it is the named program, under the same Python and with the same arguments.
"""

from __future__ import annotations

import os
import runpy
import sys

CHANGES = os.path.join(os.path.dirname(__file__), "changes.py")  # noqa: PTH118, PTH120


def main() -> None:
    """Become the program that the first argument names."""
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(program)  # noqa: PTH120 - as for the script itself
    runpy.run_path(CHANGES)["change_ansible"]()
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
