"""The product's routes."""

from .projects import Projects
from .search import Search


def routes(app):
    """Each route as (method, path, handler). `app` has the database, the feature flags and who may write."""
    projects, search = Projects(app), Search(app)
    return [
        ("GET", "/projects", projects.all),
        ("GET", "/projects/{id}", projects.one),
        ("GET", "/search", search.find),
    ]
