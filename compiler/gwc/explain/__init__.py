"""A request, followed through the policies: which route answers it, what holds for it, and who wrote that where."""
