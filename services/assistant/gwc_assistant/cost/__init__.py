"""What answers cost: prices, the bill of a request, the ledger, and what the gateway is told."""

from gwc_assistant.cost.bill import Bill
from gwc_assistant.cost.ledger import Charge, Ledger, LedgerUnavailableError, LedgerUsage, new_charge_id
from gwc_assistant.cost.postgres import PostgresLedger
from gwc_assistant.cost.prices import Prices
from gwc_assistant.cost.retention import Retention
from gwc_assistant.cost.sqlite import SqliteLedger

__all__ = [
    "Bill",
    "Charge",
    "Ledger",
    "LedgerUnavailableError",
    "LedgerUsage",
    "PostgresLedger",
    "Prices",
    "Retention",
    "SqliteLedger",
    "new_charge_id",
]
