"""Pictures that experiments share, each drawn on given matplotlib Axes."""
