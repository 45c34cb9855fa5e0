"""`python smoke.py URL`: whether the main routes work, each asked once as a user asks it."""

import json
import sys
import urllib.request

ROUTES = {"/health/ready": "ready", "/projects": "projects", "/search?q=item-1": "found"}


def main(base):
    for route, member in ROUTES.items():
        try:
            with urllib.request.urlopen(base + route, timeout=5) as answer:
                value = json.load(answer).get(member)
        except OSError as error:
            sys.exit(f"{route}: {error}")
        if not value:
            sys.exit(f"{route}: there is nothing in {member!r}")
    print(f"{len(ROUTES)} routes work")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("say: python smoke.py URL")
    main(sys.argv[1].rstrip("/"))
