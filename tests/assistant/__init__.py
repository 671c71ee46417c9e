"""The AssistantService by itself and behind real gateways."""
