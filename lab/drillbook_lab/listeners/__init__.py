"""The listeners: alerting watches the API, and the sink receives chat and mail. Both outlive what a drill breaks."""
