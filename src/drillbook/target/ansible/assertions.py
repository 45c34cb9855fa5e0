"""The names under which Ansible knows its assert module."""

from __future__ import annotations

ASSERTIONS = ("ansible.builtin.assert", "assert", "ansible.legacy.assert")
"""The names of the module that an undo ends with."""
