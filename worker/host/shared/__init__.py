"""ISOLATION=shared: processes that hold several calls each; to the framework, one for each."""
