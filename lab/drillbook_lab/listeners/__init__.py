"""What listens: alerting to the API, the sink to chat and mail; each of them outlives what a drill breaks."""
