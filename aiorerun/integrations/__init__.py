"""aiorerun inside other frameworks. Each module is imported by itself and loads its framework only then."""
