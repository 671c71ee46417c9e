"""A model of the gateway: what a request comes to under a Gateway, without an engine.

It follows the language's meaning, which is what an engine does where its table says `exact`.
"""

from gwc.model.edge import Edge
from gwc.model.gateway import Model
from gwc.model.request import Answer, Outcome, Request

__all__ = ["Answer", "Edge", "Model", "Outcome", "Request"]
