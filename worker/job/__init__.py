"""A job process: warm before a job comes; holds what all its calls share."""
