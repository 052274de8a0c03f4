"""Whether a domain is a renter's: what stands in the domain name system says so."""

from __future__ import annotations

from collections.abc import Callable, Collection

PROOF_LABEL = "_assay"
Ask = Callable[[str, str], list[str]]


def proof_text(renter: str) -> str:
    """What the TXT record at `_assay.` and the domain says: whose leases may have the domain, at whatever provider."""
    return f"renter={renter.lower()}"


def is_proven(domain: str, renter: str, own_names: Collection[str], ask: Ask) -> bool:
    """By a CNAME that leads to a name of the very lease, which nobody else can have meanwhile or later, or by a TXT
    record with the renter's account. A CNAME to the provider's domain alone would prove nothing: any lease there could
    ask for it. `ask` is handed a name and a type of record. Raises what `ask` raises."""
    if {one.lower().removesuffix(".") for one in ask(domain, "CNAME")} & set(own_names):
        return True
    return proof_text(renter) in {one.strip().lower() for one in ask(f"{PROOF_LABEL}.{domain}", "TXT")}
