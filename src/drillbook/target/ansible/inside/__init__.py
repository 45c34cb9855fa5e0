"""What each ansible-playbook of a drill does besides: it asks nobody, and says what it has decrypted."""
