"""The frontend: static files of the release that is live, and the CDN in front of them. One process, two ports."""
