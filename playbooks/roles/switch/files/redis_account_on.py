"""Switch on an account of the Redis node on this host. The password comes from the environment."""

import os
import sys

import redis

port, user = sys.argv[1:]
with redis.Redis(port=int(port), password=os.environ["SWITCH_PASSWORD"], socket_timeout=5) as node:
    node.execute_command("ACL", "SETUSER", user, "on")
