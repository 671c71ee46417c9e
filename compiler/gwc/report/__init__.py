"""Reports: findings for people (text) and for programs (json)."""
