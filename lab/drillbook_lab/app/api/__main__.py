"""`python -m drillbook_lab.app.api SETTINGS`: the API.

POST /webhooks, POST /queue/pause|resume, GET /queue/metrics|dlq and the operator's routes of the cache need the header
X-API-Key. Health, metrics, logs, items and version do not. Where Redis is away the answer is 503 with Retry-After and
{"error": ...}, at once while the breaker is open; health answers from what the monitors know, in about a millisecond,
whatever is broken.

What is acknowledged and only in memory when the API is told to end goes into a file, and the next one takes it up: a
deployment loses nothing. A kill does.
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
    # before the settings are read: a file that changed later than this is not what the process runs with
    began = time.time()
    read = Settings.read(file)
    serve(Api(read, Pending(file.with_suffix(".pending.ndjson")), began).application(), read.api_port)
