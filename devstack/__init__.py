"""Runs Voicefleet on one machine: for `make run`, for the tests, and for talking to it.

`install/` gets what is needed, `services/` runs it, `talk/` is a user who calls it.
"""
