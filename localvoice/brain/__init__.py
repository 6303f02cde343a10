"""The scripted brain: patterns and handlers, no language model.

It keeps nothing between requests; everything it knows is in the messages it is given.
"""
