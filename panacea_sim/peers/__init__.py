"""Files of other simulators, made into ours."""
