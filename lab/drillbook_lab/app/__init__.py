"""The system under test: an API that queues webhooks, and workers that process them. Neither knows of drills."""
