"""A worker of the queue: a job may be handed to it twice, and its work is in the database once."""
