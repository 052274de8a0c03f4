"""How the contracts are deployed: typed parameters, the plan, its execution, the artifact."""
