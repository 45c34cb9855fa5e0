"""What a drill leaves behind: the record, and everything that keeps it true, complete and free of secrets."""
