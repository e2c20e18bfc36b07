"""How well a learned dictionary agrees with the true one, and how much of that is chance."""
