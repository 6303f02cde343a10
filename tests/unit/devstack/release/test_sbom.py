"""A bill of materials is CycloneDX, and says what is in an image."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from devstack.release.pins import ROOT, Pin
from devstack.release.sbom import BadBill, all_pins, bill, check_bill

ONE = Pin(name="packaging", version="26.3", hashes=("a" * 64,), needed_by=(ROOT,))
PINS = [
    ONE,
    replace(ONE, name="flatbuffers", hashes=("b" * 64, "c" * 64), needed_by=("packaging",)),
    Pin(
        name="@livekit/mutex",
        version="1.1.1",
        hashes=("d" * 128,),
        needed_by=(ROOT,),
        is_npm=True,
        licence="Apache-2.0",
    ),
]


def test_a_bill_names_packages_hashes_licences_and_who_needs_them() -> None:
    told = json.loads(bill("tokens", "1.2.3", PINS))
    assert told["metadata"]["component"]["version"] == "1.2.3"
    by_purl = {one["purl"]: one for one in told["components"]}
    one = by_purl["pkg:pypi/packaging@26.3"]
    assert one["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert one["licenses"] == [{"expression": "Apache-2.0 OR BSD-2-Clause"}]
    several = by_purl["pkg:pypi/flatbuffers@26.3"]
    assert "hashes" not in several
    assert [each["value"][0] for each in several["properties"]] == ["b", "c"]
    assert by_purl["pkg:npm/%40livekit/mutex@1.1.1"]["hashes"][0]["alg"] == "SHA-512"
    needs = {each["ref"]: each.get("dependsOn", []) for each in told["dependencies"]}
    assert needs["pkg:pypi/packaging@26.3"] == ["pkg:pypi/flatbuffers@26.3"]
    assert sorted(needs["voicefleet-tokens"]) == [
        "pkg:npm/%40livekit/mutex@1.1.1",
        "pkg:pypi/packaging@26.3",
    ]


def test_the_same_contents_have_the_same_number() -> None:
    numbers = [
        json.loads(bill(name, version, pins))["serialNumber"]
        for name, version, pins in [
            ("tokens", "1", PINS),
            ("tokens", "1", PINS),
            ("worker", "1", PINS),
            ("tokens", "2", PINS),
            ("tokens", "1", PINS[:2]),
        ]
    ]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    ("part", "value"),
    [("specVersion", None), ("components", [{"type": "library"}]), ("bomFormat", "SPDX")],
)
def test_what_is_no_cyclonedx_is_refused(part: str, value: object) -> None:
    good = json.loads(bill("tokens", "1", PINS))
    check_bill(json.dumps(good))
    with pytest.raises(BadBill, match=r"not CycloneDX 1\.6"):
        check_bill(json.dumps({**good, part: value}))


def test_a_licence_that_spdx_does_not_know_is_seen_by_the_schema() -> None:
    good = json.loads(bill("tokens", "1", PINS))
    good["components"][0]["licenses"] = [{"license": {"id": "Nobodys-1.0"}}]
    with pytest.raises(BadBill, match="licenses"):
        check_bill(json.dumps(good))


@pytest.mark.parametrize("name", all_pins())
def test_everything_of_an_image_is_in_its_bill(name: str) -> None:
    pins = all_pins()[name]
    told = json.loads(bill(name, "1", pins))
    found = {(one.get("group", ""), one["name"], one["version"]) for one in told["components"]}
    wanted = {(*pin.name.rpartition("/")[::2], pin.version) for pin in pins}
    assert found == wanted
