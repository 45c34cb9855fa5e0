"""The words between a drill and its guardian, through pipes.

It imports nothing, so that a waiting guardian is small.
"""

BYE = b"bye\n"
"""From the drill: no fault is open, and the session ends."""
READY = b"ready\n"
"""From the guardian: it stands by."""
