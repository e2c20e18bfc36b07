"""Pictures that experiments share, each drawn on the matplotlib Axes that it is given."""
