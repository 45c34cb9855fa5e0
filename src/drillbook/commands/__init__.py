"""The command line. Each command only combines the layers below, and decides nothing itself."""
