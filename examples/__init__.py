"""A shop's support bot: what its customers wrote, its tools, and how its production logs were made."""
