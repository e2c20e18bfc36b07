"""Geometry of trained models: components, sets, neurons, orientation, rotations."""
