"""Callback plugins of Ansible."""
