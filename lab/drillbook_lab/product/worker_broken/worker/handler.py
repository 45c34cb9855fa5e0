"""What is done with a webhook: those of a customer are kept with the customer's name, which not every one has."""


def handle(webhook_id, payload):
    """What is kept of a webhook. Every fifth, by the end of its id, is taken for one of a customer."""
    if webhook_id[-1:] in "05":
        return {**payload, "customer": payload["customer"]["name"]}
    return payload
