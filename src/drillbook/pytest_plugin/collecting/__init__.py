"""Features as pytest nodes: collected, refused, and shown when they fail."""
