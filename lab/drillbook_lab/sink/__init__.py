"""Where the team's chat messages and mail arrive: a stand-in for Slack's incoming webhooks, and a real SMTP server."""
