"""A drill repository is read, planned and linted here; nothing in this package touches the target."""
