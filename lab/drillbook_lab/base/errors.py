"""One error for the whole lab: its text says what failed, where, and what to do next."""


class LabError(Exception):
    """The lab could not do what was asked; the message is meant for a person."""
