"""A bundle handed over to an app: an Android library, a pack for Google Play, or plain assets."""

from exporter.packing.forms import Delivery
from exporter.packing.pack import FORMS, Wishes, pack_bundle

__all__ = ["FORMS", "Delivery", "Wishes", "pack_bundle"]
