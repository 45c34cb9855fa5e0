"""May this drill break this environment?"""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.errors import GuardError
from drillbook.model.tags import PRODUCTION_SAFE
from drillbook.target.inventory.settings import Environment, EnvironmentKind


def permit(environment: Environment, allowed_production: str | None, tags: Iterable[str], where: str = "") -> None:
    """Raise GuardError unless a drill with these tags may break this environment.

    `where` is the file and line of the inventory that name the environment.
    """
    if environment.kind is not EnvironmentKind.PRODUCTION:
        return
    place = f" ({where})" if where else ""
    if allowed_production != environment.name:
        raise GuardError(
            f"the inventory says that {environment.name!r} is production{place}: Drillbook breaks nothing there. "
            f"If you mean it, give --allow-production {environment.name}"
        )
    if PRODUCTION_SAFE not in set(tags):
        raise GuardError(
            f"{environment.name!r} is production{place} and the scenario has no tag @{PRODUCTION_SAFE}: "
            "nobody has declared its faults safe for production"
        )
