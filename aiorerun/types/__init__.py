"""What is logged: descriptors, encodings, rows, entity paths, times and ids. No I/O, no threads."""
