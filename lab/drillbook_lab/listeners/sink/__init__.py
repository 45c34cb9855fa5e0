"""The receivers of chat (as Slack takes it) and of mail (over SMTP): a message is on disk before it is answered."""
