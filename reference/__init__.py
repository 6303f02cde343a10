"""Writes what the docs say of the code out of the code: `python -m reference`.

A package of its own, above all others: it reads the settings of every service and the contract of
the API, which neither `devstack` (it runs without our packages) nor any one service may import.
Nothing imports it, and it is not shipped.
"""
