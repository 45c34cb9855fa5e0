"""The way of a webhook into the queue. An acknowledged webhook is not lost while the API lives."""
