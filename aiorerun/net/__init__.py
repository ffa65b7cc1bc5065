"""What the gRPC sink, the server and the viewer client share: URLs, limits, TLS, and messages on the wire."""
