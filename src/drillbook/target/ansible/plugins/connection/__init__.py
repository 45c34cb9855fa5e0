"""Connection plugins of Ansible."""
