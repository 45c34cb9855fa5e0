"""Pure functions that turn a record or events into text and pictures. No module that drills imports them."""
