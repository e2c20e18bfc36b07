"""Devices: process set-up, meshes, memory, slices, and the plan of a run."""
