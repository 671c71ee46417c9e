"""The HTTP face: routes read, call the domain, and shape what it says."""
