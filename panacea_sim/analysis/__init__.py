"""Why it happened: accounting and conservation."""
