"""Services as processes: described as data, started in order, watched, stopped in order."""
