"""What is computed: layers with their operands."""
