"""The receivers of chat (in Slack's form) and of mail (SMTP). A message is on disk before its sender gets an answer."""
