"""The way of a webhook into the queue: what was acknowledged is not lost while the API lives."""
