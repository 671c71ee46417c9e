"""AssistantService: the service half."""
