"""Where models live: process set-up, meshes, memory, the plan of a run, several processes."""
