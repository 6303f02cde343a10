"""A drill: token servers and workers are replaced while users start and talk."""
