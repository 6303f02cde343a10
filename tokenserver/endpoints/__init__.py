"""What the API does, one file for each thing that is asked for."""
