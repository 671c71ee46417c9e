"""What `gwc.placeholder` has, under the name that this package uses."""

from gwc.placeholder import CERTIFICATE, KEY, TEXT

__all__ = ["CERTIFICATE", "KEY", "TEXT"]
