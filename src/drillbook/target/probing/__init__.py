"""Looks at endpoints from outside and submits work. It changes nothing else."""
