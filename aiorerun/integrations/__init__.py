"""aiorerun inside of other libraries and services. Each module is imported by itself, and loads theirs only then."""
