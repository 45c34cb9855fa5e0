"""The system under test: an API that queues webhooks and workers that do them; it does not know that it is drilled."""
