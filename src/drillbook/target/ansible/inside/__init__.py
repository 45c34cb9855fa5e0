"""Drillbook's additions to each ansible-playbook of a drill: it asks nobody, and reports what it has decrypted."""
