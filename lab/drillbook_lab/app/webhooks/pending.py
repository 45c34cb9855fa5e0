"""The file in which an API that ends leaves the acknowledged webhooks that it could not queue, for the next API.

The file is removed only when all of it is queued. If an API is killed before that, the next one reads the file again. A
webhook that was queued already is then queued under the same job id, which adds nothing.
"""

import asyncio
import json
from pathlib import Path

from drillbook_lab.app.webhooks.intake import RETRY_S, Intake
from drillbook_lab.app.webhooks.jobs import Webhook
from drillbook_lab.base import files


class Pending:
    """The file, with one webhook a line, in the order of their acknowledgement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, intake: Intake) -> int:
        """Write what the intake holds; returns how many webhooks it holds. With none the file stays as it is."""
        held = intake.held()
        if held:
            files.write(self.path, "".join(json.dumps(each.data) + "\n" for each in held))
        return len(held)

    async def take_up(self, intake: Intake) -> None:
        """Put the file's webhooks into the line, and remove the file when the line holds none of them any more."""
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return
        intake.take_up([Webhook.from_json(json.loads(line)) for line in lines])
        while intake.size:
            await asyncio.sleep(RETRY_S)
        self.path.unlink(missing_ok=True)
