"""The viewer inside a notebook: Rerun's own widget, what is sent to it, and what it tells."""
