"""Redis, the cache in it and PostgreSQL, as the application reaches them: no call waits longer than its time-out."""
