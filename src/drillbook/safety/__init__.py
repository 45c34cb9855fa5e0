"""Nothing stays broken: permission, locks, the undo journal, the guardian, the dead man's switch."""
