"""The command line: each command composes what lies below and decides nothing itself."""
