"""`python -m drillbook_lab.app.api SETTINGS`: the API.

POST /webhooks, POST /queue/pause|resume, GET /queue/metrics|dlq and the operator's routes of the cache need the header
X-API-Key. Health, metrics, logs, items and version do not. While Redis is away the API answers 503 with Retry-After and
{"error": ...}, and at once while the breaker is open. Health answers from what the monitors know, in about a
millisecond, whatever is broken.

When the API gets SIGTERM, it writes the acknowledged webhooks that are only in memory to a file. The next API takes
them up, so a deployment loses nothing. A kill loses them.
"""

import sys
import time
from pathlib import Path

from drillbook_lab.app.api.routes import Api
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.webhooks.pending import Pending
from drillbook_lab.base.serve import serve

if __name__ == "__main__":
    file = Path(sys.argv[1])
    # taken before the settings are read: if the file changes later than this, the process runs with the old settings
    began = time.time()
    read = Settings.read(file)
    serve(Api(read, Pending(file.with_suffix(".pending.ndjson")), began).application(), read.api_port)
