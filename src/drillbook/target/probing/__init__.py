"""Looks at endpoints from outside and submits work; it changes nothing else."""
