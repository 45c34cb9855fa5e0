"""A worker of the queue. It may get a job twice, and the job's work is in the database once."""
