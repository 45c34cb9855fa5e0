"""Action plugins of Ansible."""
