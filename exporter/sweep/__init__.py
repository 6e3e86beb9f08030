"""Many exports as one command: planned together, each a process of its own, on workers that somebody else schedules."""
