"""What happened: schema, recorder and run folder."""
