"""The repository of README's "Your own staging in ten minutes", made once by the commands that stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import README, Block, Use, blocks
from tests.docs.shell import TESTS_OWN, Shell, checkout, free_port

TEN_MINUTES = "http.server"


def ten_minutes() -> tuple[Block, Block]:
    """The blocks that build the wheel, and that make and drill the repository."""
    wheel, repository = [block for block in blocks(README) if block.use in {Use.RUN_IN_CHECKOUT, Use.RUN}][:2]
    assert wheel.use is Use.RUN_IN_CHECKOUT, "the README builds the wheel first"
    assert TEN_MINUTES in repository.text
    return wheel, repository


@pytest.fixture(scope="session")
def own_checkout(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A copy of Drillbook's own repository, with the tools of this environment."""
    root = tmp_path_factory.mktemp("checkout") / "drillbook"
    checkout(root)
    return Shell(root, TESTS_OWN, root.with_name("state"), free_port())


@pytest.fixture(scope="session")
def built(own_checkout: Shell, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str]:
    """The repository, and what its making printed."""
    wheel, repository = ten_minutes()
    said = own_checkout.run(wheel, then='printf "\\n%s" "$WHEEL"').splitlines()[-1]
    assert Path(said).is_file(), f"{wheel.where}: WHEEL is no file: {said}"
    root = tmp_path_factory.mktemp("readme") / "repository"
    root.mkdir()
    shell = Shell(root, root / ".venv/bin", root.with_name("state"), free_port(), {"WHEEL": said})
    return shell, shell.run(repository)
