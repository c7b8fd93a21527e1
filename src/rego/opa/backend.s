// Empty: it lets backend.go declare functions without bodies.
