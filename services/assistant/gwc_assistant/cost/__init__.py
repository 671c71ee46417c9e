"""What answers cost: prices, the bill of a request, the ledger, and what the gateway is told."""

from gwc_assistant.cost.bill import Bill
from gwc_assistant.cost.ledger import Charge, Ledger, LedgerUsage, new_charge_id
from gwc_assistant.cost.prices import Prices

__all__ = ["Bill", "Charge", "Ledger", "LedgerUsage", "Prices", "new_charge_id"]
