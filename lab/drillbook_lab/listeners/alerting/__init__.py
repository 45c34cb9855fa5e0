"""Alerting. Its messages follow from its rules and from what the API says of itself, and from nothing else."""
