"""Take all faults away from the links of a fault proxy."""

import sys
import urllib.request

body = urllib.request.Request(sys.argv[1], b'{"heal": true}', {"Content-Type": "application/json"}, method="POST")
# this goes to the fault proxy directly, and not through a proxy that the environment names
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(body, timeout=10).read()
