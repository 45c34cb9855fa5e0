"""What to do about an incident, according to a table: metrics in, severity, decision and time limit out."""
