"""`drillbook keygen`: a key that signs evidence; and in the ledgers, that one takes the place of another or is void."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands import keygen as keys
from drillbook.commands.entries.calls import said_plainly
from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import passphrase
from drillbook.evidence.sealing.passphrase import BY_PIPE, VARIABLE

app = typer.Typer(add_completion=False)


@app.command()
def keygen(
    file: Annotated[Path | None, typer.Argument(help="where the key is written; FILE.pub is its public part")] = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="do not encrypt it: every playbook can read it then")] = False,
    rotate: Annotated[
        Path | None,
        typer.Option(
            "--rotate", help="the old key: in every ledger it signs that the new key replaces it", metavar="OLD"
        ),
    ] = None,
    revoke: Annotated[
        str | None,
        typer.Option(
            "--revoke", help="the void key: in every ledger drillbook_key signs that it is void", metavar="KEYID"
        ),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="from when on the key is void (default: now)")] = None,
    reason: Annotated[str, typer.Option("--reason", help="why the key is void")] = "",
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="the folder of evidence (default: the ini's)", metavar="DIR")
    ] = None,
) -> None:
    """Make a key that signs evidence, and print its line for a trust file.

    The passphrase is taken from DRILLBOOK_KEY_PASSPHRASE, or asked for. With --rotate it is that of the old key, too,
    unless the old one is not encrypted.
    """
    here = Path.cwd()
    with said_plainly():
        if revoke is not None:
            for line in keys.revoke(here, evidence, revoke, since, reason):
                typer.echo(line)
            return
        if file is None:
            raise DrillbookError("name a file for the key: drillbook keygen drill.pem")
        secret = None if clear else _passphrase()
        if clear:
            typer.echo("a playbook can read this key: it is not encrypted", err=True)
        for line in keys.make(here, here / file, secret, rotate and here / rotate, evidence):
            typer.echo(line)


def _passphrase() -> str:
    held = passphrase.held()
    if held:
        return held
    if not sys.stdin.isatty():
        raise DrillbookError(
            f"keygen encrypts the key: give a passphrase in {VARIABLE} (or by the file descriptor "
            f"that {BY_PIPE} names), or say --clear for a key that every playbook can read"
        )
    first = getpass.getpass("Passphrase of the new key: ")
    if not first or first != getpass.getpass("Once more: "):
        raise DrillbookError("the two passphrases are not the same, or are empty: no key was made")
    passphrase.hold(first)
    return first
