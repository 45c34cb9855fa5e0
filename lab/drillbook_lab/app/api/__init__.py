"""The API: every route stands here, and the rest of the application knows nothing of HTTP."""
