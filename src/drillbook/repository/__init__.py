"""Reads, plans and lints a drill repository. Nothing in this package touches the target."""
