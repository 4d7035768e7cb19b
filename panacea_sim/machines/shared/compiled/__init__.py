"""What machines do to values, compiled: for runs in which no values travel but are checked."""
