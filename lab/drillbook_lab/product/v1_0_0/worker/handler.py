"""What is done with a webhook: it is kept as it came."""


def handle(_webhook_id, payload):
    """What is kept of a webhook."""
    return payload
