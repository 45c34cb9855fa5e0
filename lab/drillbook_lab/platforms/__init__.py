"""Stand-ins of the vendors' HTTP APIs, which the vendors' own clients talk to, and which serve what was deployed."""
