"""What the user writes: tasks, axes, nodes and the drawing of flows; no disk, no clock, no process."""
