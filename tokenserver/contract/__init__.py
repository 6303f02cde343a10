"""What goes in and out: requests, answers, and the document that describes them."""
