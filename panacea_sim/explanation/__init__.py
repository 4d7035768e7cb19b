"""Why a run took so long: its critical path, what limits it, and the root causes of its stalls."""
