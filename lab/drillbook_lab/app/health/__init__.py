"""What the application knows of itself and of its servers. A question about health never waits for a server."""
