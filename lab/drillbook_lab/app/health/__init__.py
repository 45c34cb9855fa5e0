"""What the application knows of itself and of its servers: who asks for it never waits for a server."""
