"""What an API that ends has acknowledged and could not queue: a file for the API that comes after it.

The file is removed only when all of it is queued: one that is killed meanwhile leaves it to the next, and what was
queued already is queued under the same job id, which adds nothing.
"""

import asyncio
import json
from pathlib import Path

from drillbook_lab.app.webhooks.intake import RETRY_S, Intake
from drillbook_lab.app.webhooks.jobs import Webhook
from drillbook_lab.base import files


class Pending:
    """The file: one webhook a line, in the order of their acknowledgement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, intake: Intake) -> int:
        """Write what the intake holds; how many that are. With nothing to write the file is left as it is."""
        held = intake.held()
        if held:
            files.write(self.path, "".join(json.dumps(each.data) + "\n" for each in held))
        return len(held)

    async def take_up(self, intake: Intake) -> None:
        """Stand the file's webhooks in line, and remove it when the line holds none of them any more."""
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return
        intake.take_up([Webhook.from_json(json.loads(line)) for line in lines])
        while intake.size:
            await asyncio.sleep(RETRY_S)
        self.path.unlink(missing_ok=True)
