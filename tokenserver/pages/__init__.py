"""The built pages of web/: which files there are, and how each is answered."""
