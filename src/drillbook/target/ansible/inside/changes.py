# mypy: disable-error-code="no-untyped-call,no-untyped-def,import-untyped"
# (ansible-core is not typed)
"""Changes the Ansible of a drill: a prompt fails at once, and Ansible hands over what it decrypts.

The rule: nobody sits at the terminal of a drill, and a prompt would wait there with the system broken. All that Ansible
has decrypted is secret, wherever it was encrypted: in the inventory, in `vars_files`, in the defaults of a role, or in
a file that a task reads.

It imports nothing of Drillbook: `program.py` runs it in a process that has none of it.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable
from typing import Any, NoReturn

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib
from ansible.utils.display import Display

try:
    from ansible.module_utils._internal._datatag import AnsibleTagHelper
except ImportError:  # before core 2.19
    AnsibleTagHelper = None

FOLDER, FILE = "AWX_ISOLATED_DATA_DIR", "decrypted"
"""The variable that names the private folder of a run, and the file in it that gets the lines of JSON."""
NOBODY = "and nobody answers in a drill"


def change_ansible() -> None:
    """Make the Ansible of this process ask nobody and hand over what it decrypts. Call it once."""
    decrypt: Callable[..., Any] = VaultLib.decrypt_and_get_vault_id
    until: Callable[..., Any] = Display.prompt_until

    def decrypt_and_tell(self: Any, vaulttext: Any, *arguments: Any, **named: Any) -> Any:
        found = decrypt(self, vaulttext, *arguments, **named)
        _tell(found[0], _place(vaulttext))
        return found

    def prompt_until(self: Any, msg: str, private: bool = False, seconds: Any = None, **named: Any) -> Any:
        if seconds is None:
            _refuse(f"a pause asks {_shown(msg)}", "give it `seconds`, or take it out")
        return until(self, msg, private, seconds, **named)

    def do_var_prompt(_self: Any, varname: str, *_arguments: Any, **_named: Any) -> Any:
        _refuse(f"vars_prompt asks for {varname}", f"give the value with drill.recover(name, {varname}=...)")

    def prompt(msg: str = "", *_arguments: Any, **_named: Any) -> str:
        _refuse(f"Ansible asks {_shown(msg)}", "let a file or a variable of the inventory answer it")

    VaultLib.decrypt_and_get_vault_id = decrypt_and_tell
    Display.prompt_until = prompt_until
    Display.do_var_prompt = do_var_prompt
    Display.prompt = staticmethod(prompt)
    vars(getpass)["getpass"] = prompt


def _shown(text: object) -> str:
    return json.dumps(" ".join(str(text).split()), ensure_ascii=False)


def _refuse(what: str, instead: str) -> NoReturn:
    raise AnsibleError(f"{what}, {NOBODY}: {instead}.")


def _place(text: Any) -> str:
    """FILE:LINE of the encrypted text, or FILE; empty when Ansible does not know it."""
    tags = AnsibleTagHelper.tags(text) if AnsibleTagHelper else ()
    origin = next((tag for tag in tags if type(tag).__name__ == "Origin"), None)
    path, line = getattr(origin, "path", None), getattr(origin, "line_num", None)
    return "" if not path else f"{path}:{line}" if line else str(path)


def _tell(plain: bytes | str, place: str) -> None:
    folder = os.environ.get(FOLDER)
    if not folder:
        return  # a run whose files are not kept
    text = plain if isinstance(plain, str) else plain.decode("utf-8", "surrogateescape")
    line = json.dumps({"place": place, "text": text}) + "\n"
    file = os.open(os.path.join(folder, FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: PTH118
    try:
        os.write(file, line.encode())  # in one write: the workers of a play are other processes
    finally:
        os.close(file)
