"""Geometry of trained models: definitions, components, sets, neurons, orientation, rotations."""
