"""The application under drill: an API that queues webhooks, workers that do them, both over Redis and PostgreSQL."""
