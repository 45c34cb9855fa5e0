"""Alerting: rules as data over what the API says of itself, and messages in Slack's shape."""
