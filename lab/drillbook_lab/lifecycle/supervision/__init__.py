"""The processes of the lab: supervisord starts and stops them, and they are found by their marker, never by name."""
