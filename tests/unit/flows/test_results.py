"""What a run came to, added up."""

from __future__ import annotations

from treaty.flows.results import DeliveryResult, add_up


def test_deliveries_of_several_clients_are_one_a_sink() -> None:
    """An apply tells what each sink got, whichever clients it is of."""
    found = add_up([DeliveryResult("ledger/contact", 3, held=1), DeliveryResult("ledger/order", 2), DeliveryResult("ledger/contact", 4)])
    assert [DeliveryResult("ledger/contact", 7, held=1), DeliveryResult("ledger/order", 2)] == list(found)
