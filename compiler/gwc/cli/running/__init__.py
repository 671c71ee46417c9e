"""What `gwc run` is made of: policies prepared for this machine, a gateway that serves them, its log, and a watch."""
