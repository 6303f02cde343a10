"""Bills of materials: what is in each image, and in the pages, as CycloneDX."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

import jsonschema_rs
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from devstack.errors import DevstackError
from devstack.release.licences import licence_of
from devstack.release.pins import IMAGES, ROOT, Pin, image_pins, npm_pins
from devstack.terminal import Terminal

_SCHEMAS = resources.files("cyclonedx.schema") / "_res"
_SCHEMA = "bom-1.6.SNAPSHOT.schema.json"
_PARTS = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
_BASE = "http://cyclonedx.org/schema/"
_NAMESPACE = uuid.UUID("5c1e9ad2-6d2f-4a07-9b55-6a7c1e7b7f5e")
"""Of serial numbers: the same contents have the same one."""


class BadBill(DevstackError):
    """Raised when a bill of materials is not as CycloneDX wants it."""


def write_bills(directory: Path, version: str, terminal: Terminal) -> int:
    """Write a bill for each image and for the pages. Raises `BadBill`, `LicenceUnknown`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, pins in all_pins().items():
        text = bill(name, version, pins)
        path = directory / f"voicefleet-{name}-{version}.cdx.json"
        path.write_text(text, encoding="utf-8")
        terminal.step(name, "ok", note=f"{len(pins)} packages, {path}")
    return 0


def all_pins() -> Mapping[str, list[Pin]]:
    """Return what is in each image, and in the pages."""
    return {**{name: image_pins(name) for name in IMAGES}, "web": npm_pins()}


def bill(name: str, version: str, pins: Iterable[Pin]) -> str:
    """Return the bill of what `pins` list, checked against CycloneDX's schema. Raises `BadBill`."""
    components = {pin: _component(pin) for pin in pins}
    kind = ComponentType.APPLICATION if name == "web" else ComponentType.CONTAINER
    subject = Component(
        type=kind, name=f"voicefleet-{name}", version=version, bom_ref=f"voicefleet-{name}"
    )
    contents = json.dumps([name, version, sorted(str(one.purl) for one in components.values())])
    bom = Bom(
        components=components.values(),
        metadata=BomMetaData(component=subject),
        serial_number=uuid.uuid5(_NAMESPACE, contents),
    )
    for pin, component in components.items():
        parents = [one for other, one in components.items() if other.name in pin.needed_by]
        for parent in [*parents, *([subject] if ROOT in pin.needed_by else [])]:
            bom.register_dependency(parent, [component])
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    check_bill(text)
    return text + "\n"


def check_bill(text: str) -> None:
    """See that a bill is as CycloneDX 1.6 wants it. Raises `BadBill`."""
    schema, *parts = (
        json.loads((_SCHEMAS / name).read_text(encoding="utf-8")) for name in (_SCHEMA, *_PARTS)
    )
    registry = jsonschema_rs.Registry(
        [(_BASE + name, part) for name, part in zip(_PARTS, parts, strict=True)]
    )
    validator = jsonschema_rs.validator_for(schema, registry=registry)
    for error in validator.iter_errors(json.loads(text)):
        where = "/".join(str(step) for step in error.instance_path)
        raise BadBill(f"a bill of materials is not CycloneDX 1.6: {where}: {error.message[:200]}")


def _component(pin: Pin) -> Component:
    group, _, name = pin.name.rpartition("/")
    purl = PackageURL("npm" if pin.is_npm else "pypi", group or None, name, pin.version)
    is_one = len(pin.hashes) == 1
    algorithm = HashAlgorithm.SHA_512 if pin.is_npm else HashAlgorithm.SHA_256
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        group=group or None,
        version=pin.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseFactory().make_from_string(licence_of(pin))],
        # Several hashes of one algorithm would contradict each other: where a lock allows several
        # files, these are properties.
        hashes=[HashType(alg=algorithm, content=one) for one in pin.hashes] if is_one else [],
        properties=[] if is_one else _allowed(pin),
    )


def _allowed(pin: Pin) -> list[Property]:
    return [Property(name="voicefleet:lock:sha-256", value=one) for one in pin.hashes]
