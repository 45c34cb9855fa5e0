"""The report of one drill as one HTML page."""
