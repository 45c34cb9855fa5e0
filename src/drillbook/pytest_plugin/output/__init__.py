"""What a session shows of its drills beside pytest's own reports: the live output, and a page for each drill."""
