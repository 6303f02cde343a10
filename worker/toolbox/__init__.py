"""Makes tools, which a model may call, of plain Python functions in folders."""
