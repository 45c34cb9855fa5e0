"""What a drill leaves behind: redacted before it is written, and whole on disk at every instant."""
