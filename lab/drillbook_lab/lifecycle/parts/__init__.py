"""What each part needs before it starts: passwords, certificates, configurations, a database; nothing starts here."""
