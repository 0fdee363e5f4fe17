"""Mining: signals of failure, search by meaning, triage."""
