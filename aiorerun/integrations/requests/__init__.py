"""What is recorded of one request, whatever server or framework it came through. Pure."""
