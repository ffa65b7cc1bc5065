"""aiorerun inside of other libraries and services; each module is imported by itself and loads theirs."""
