"""Where the team's chat messages arrive: a stand-in for Slack's incoming webhooks that keeps what it got."""
