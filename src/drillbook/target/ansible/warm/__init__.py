"""Plays on an Ansible that is already imported: a server that forks, a shim that ansible-runner starts, and a client.

The rule: a warm run equals a cold one, or it is a cold one. What Ansible reads while it is imported must be for the run
what it was for the server, else the shim becomes the real ansible-playbook.

    pytest ── Warm (client) ─────────── starts, ends, and is told why a run was cold
      │            └─ Early (early/answer.py) <── the inventory ── fork (early/inventory.py)
      │                                              │
      └─ ansible-runner ── shim ── its terminal ──> server ── fork ──> play (play.py)
                             ^ exit status ───────────┤                  │
                                                      │                 shim, for each module on this machine
                                                      │                  │
                                                     server of modules ── fork ──> module (module.py)

Only for Linux: the server sees pytest end through a pidfd, and what processes are through /proc.
"""
