"""Keeps the record of a drill as the drill goes: every event is on disk before the drill goes on."""
