"""What the entry points do with their flags."""
