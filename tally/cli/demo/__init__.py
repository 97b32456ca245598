"""`tally demo`: the main job on this machine, with faults, and a verdict."""
