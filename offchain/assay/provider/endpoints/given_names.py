"""Which names a lease is given: few in all of its life, however often it opens and closes endpoints. Each may cost the
provider a certificate, of which authorities give only so many, and a name that is shut stays so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from assay.provider.errors import Conflict, ProviderError
from assay.provider.ingress.names import LABEL_LENGTH, label
from assay.provider.pods.processes.keeper import write_whole

SEED_BYTES = 32


@dataclass(frozen=True)
class GivenNames:
    """What a lease's labels are drawn from, and the domains that it has had."""

    seed: bytes
    domains: tuple[str, ...] = ()

    def label(self, used: Collection[str], most: int) -> str:
        """The first of the lease's labels that leads nowhere now. Raises Conflict where all do."""
        for number in range(most):
            drawn = hashlib.sha256(self.seed + number.to_bytes(4, "big")).digest()[:LABEL_LENGTH]
            if (found := label(drawn)) not in used:
                return found
        raise Conflict(f"a lease has {most} names at most here: close one first")

    def with_domain(self, domain: str, most: int) -> GivenNames:
        """The same once a domain is had as well. Raises Conflict where there were too many."""
        if domain in self.domains:
            return self
        if len(self.domains) >= most:
            raise Conflict(f"a lease has {most} domains of its renter's in all here, and had {', '.join(self.domains)}")
        return replace(self, domains=(*self.domains, domain))


def read_given(path: Path, randomness: Callable[[int], bytes]) -> GivenNames:
    """What is kept in a file, a new seed where there is none. Raises ProviderError for a damaged one."""
    try:
        found = json.loads(path.read_text())
        return GivenNames(bytes.fromhex(found["seed"]), tuple(map(str, found["domains"])))
    except FileNotFoundError:
        return GivenNames(randomness(SEED_BYTES))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"what is kept of names is damaged: {path.name} ({error})") from error


def write_given(path: Path, given: GivenNames) -> None:
    """Keeps it. Raises OSError."""
    write_whole(path, json.dumps({"seed": given.seed.hex(), "domains": given.domains}))
