"""The worker process: registers, takes jobs, keeps processes warm, stops in good order."""
