"""The queue's code: what is done with a webhook, one file a release, exchanged as a deployment exchanges it."""
