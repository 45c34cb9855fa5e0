"""Takes the place of the built-in lookup `env`, under its short name, and defines no options."""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [f"not the built-in one: {term}" for term in terms]
