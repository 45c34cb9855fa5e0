"""A record or events become text and pictures: pure functions, and nothing that drills imports them."""
