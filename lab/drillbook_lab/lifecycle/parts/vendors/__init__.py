"""The vendors: their clients, and what the stand-ins of their APIs are started with."""
