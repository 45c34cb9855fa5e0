"""Take all faults away from links of a fault proxy."""

import sys
import urllib.request

body = urllib.request.Request(sys.argv[1], b'{"heal": true}', {"Content-Type": "application/json"}, method="POST")
# the proxy is a neighbour: no other proxy of the environment stands between
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(body, timeout=10).read()
