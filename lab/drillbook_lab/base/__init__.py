"""What every part of the lab may use; nothing here imports another part of the lab."""
