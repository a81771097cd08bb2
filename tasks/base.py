"""base: obtain the weights of a network that was trained elsewhere, and store it as train stores its own."""

from __future__ import annotations

from tasks import bases, catalogue, places, sources
from tasks.receipts import Based


def base(name: str) -> Based:
    """Write the network of the base called `name`: model.keras, with which recipes can start, and the receipt.

    Raises:
        Unavailable: if the files cannot be had.
        BadData: if they are not what they must be.
    """
    entry = catalogue.load().base(name)
    folder, origin = sources.obtain(name, entry.files, entry.origins)
    network = bases.read(name, folder)
    print(f"{name}: {network.count_params():,} parameters", flush=True)
    with places.whole_folder(places.trained(name)) as new:
        network.save(new / "model.keras")
        return Based(
            name=name,
            digest=bases.digest_weights(network),
            parameters=network.count_params(),
            origin=origin,
            licence=entry.licence,
        ).write(new)
