"""The record of a drill, kept as the drill goes: whatever happens is on disk before the drill goes on."""
