"""The lab on machines of its own, with systemd and sshd. They share no files with the machine that they run on."""
