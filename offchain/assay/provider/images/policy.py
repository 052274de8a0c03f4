"""Which images a provider runs."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import cached_property

from assay.network.errors import BadOrigin
from assay.network.origins import Origin, parse_origin
from assay.provider.errors import BadProviderSetting, ImageRefused
from assay.provider.images.references import OWN, ImageReference, leads_inside, parse_reference

CACHE_NAME = f"{OWN}/assay/image"  # what was pulled is kept under this; never to be named, it may be somebody's own

_KEPT = re.compile(re.escape(CACHE_NAME) + ":[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class ImagePolicy:
    """`allow` and `deny` are shell patterns; a denied image is refused though it is allowed. `private` are the origins
    of registries within the provider's network (`https://registry.lan:5000`) that images may come from; plain http is
    spoken to these alone. Images that the engine has by itself (`localhost/…`) are taken where a pattern says so."""

    default: str = "docker.io/library/python:3.12-slim"
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    private: tuple[str, ...] = ()

    def choose(self, image: str | None) -> str:
        """The image to run, as it was named. Raises ImageRefused for one that the policy refuses."""
        self.reference(image)
        return image or self.default

    def at_engine(self, image: str | None) -> str:
        """What the engine is asked for: an image that was fetched for a job by the name that it is kept under, else as
        `choose`. A renter's own words never come here before they were held to `reference`."""
        return image if image is not None and _KEPT.fullmatch(image) else self.choose(image)

    def reference(self, image: str | None) -> ImageReference:
        """The image to run. Raises ImageRefused for one that is no image, or that the policy refuses."""
        chosen = image or self.default
        found = parse_reference(chosen)
        names = {chosen, found.name}
        allowed = any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in self.allow)
        denied = any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in self.deny)
        if found.is_own:
            named = any(fnmatch.fnmatchcase(chosen, one) for one in self.allow if one.startswith(f"{OWN}/"))
            allowed = (named or chosen == self.default) and not found.name.startswith(CACHE_NAME)
        if not allowed or denied:
            raise ImageRefused(f"image {chosen!r} is not allowed here; allowed: {', '.join(self.allow)}")
        if not found.is_own and leads_inside(found.origin()) and not self.is_private(found):
            raise ImageRefused(f"image {chosen!r}: {found.authority} is not a registry of the internet")
        return found

    def is_private(self, reference: ImageReference) -> bool:
        """Whether its registry is one of those within the provider's network that are named."""
        return self.origin_of(reference) in self.origins

    def origin_of(self, reference: ImageReference) -> Origin:
        """Where its registry is asked: over https, but where the provider has named it with http."""
        plain = reference.origin("http")
        return plain if plain in self.origins else reference.origin()

    @cached_property
    def origins(self) -> frozenset[Origin]:
        """The registries within the provider's network. Raises BadProviderSetting."""
        try:
            return frozenset(parse_origin(one) for one in self.private)
        except BadOrigin as error:
            raise BadProviderSetting(f"private registry {error}") from None
