"""The experiment: a small network trained for very long, every checkpoint kept."""
