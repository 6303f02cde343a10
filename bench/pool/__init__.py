"""How many warm processes traffic needs: traces of arrivals, and pools that serve them."""
