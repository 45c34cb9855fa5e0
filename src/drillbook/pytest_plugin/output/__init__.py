"""What a session shows of its drills beside pytest's own reports: the screen, and the page of each."""
