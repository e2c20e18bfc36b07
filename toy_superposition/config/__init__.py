"""From a config file to a checked experiment."""
