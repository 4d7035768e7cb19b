"""DRAM devices as data: one YAML file for each device, with the source of its figures."""
