"""Reading what a provider publishes: good keys are kept, bad ones harm nobody."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tokenserver.access.jwks import MAX_KEYS, BadKeyDocument, fits, read_jwks
from tokenserver.access.settings import Algorithm

EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
#: 1024 bits: too short to be safe. Made once, and worth nothing.
SHORT_MODULUS = (
    "AMVg0cJ9eL2nC7xw1rT5yq3uF8sKpZ4hVbNdXfJmGaQeRtYoIuPkLjHgFdSaZxCvBnMqWeRtYuIoPlKjHgFdSaZxCvBnM"
    "qWeRtYuIoPlKjHgFdSaZxCvBnMqWeRtYuIoPlKjHgFdSaZxCvBnMqWeRtYuIoPlKjHgFdSaZxCvBnMqWeQ"
)


def public(key: Key, **more: object) -> dict[str, object]:
    """Return a key as providers publish it."""
    return {**key.as_dict(private=False), **more}


def kids(*entries: object) -> list[str | None]:
    """Return the names of the keys that are read from these entries."""
    return [key.kid for key in read_jwks(json.dumps({"keys": entries}).encode())]


def test_keys_of_all_three_kinds_are_read() -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert kids(public(EC), public(OKP), public(rsa)) == ["ec", "okp", "rsa"]


@pytest.mark.parametrize(
    "useless",
    [
        OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True),
        public(EC, use="enc"),
        public(EC, use="tls"),
        public(EC, key_ops=["deriveKey"]),
        public(EC, use=["sig"], key_ops=["verify"]),
        public(EC, kty="ML-DSA"),
        public(EC, kty=["EC"]),
        public(EC, kty="RSA"),
        public(EC, kid=5),
        public(EC, crv="P-999"),
        public(EC, x="AAAA"),
        public(EC, y=7),
        {"kty": "RSA", "kid": "short", "n": SHORT_MODULUS, "e": "AQAB"},
        {"kty": "RSA", "kid": "bare"},
        {"kid": "no kind"},
        {},
        [],
        "key",
        None,
    ],
)
def test_a_useless_key_is_left_out_and_the_others_count(useless: object) -> None:
    """Attack 3: shared secrets and keys for encryption check no signature."""
    assert kids(public(OKP), useless) == ["okp"]
    with pytest.raises(BadKeyDocument):
        kids(useless)


def test_a_key_needs_no_name_and_no_use() -> None:
    nameless = public(EC)
    del nameless["kid"]
    assert kids(nameless, public(OKP, use="sig", key_ops=["verify"])) == [None, "okp"]


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"\xff", b"null", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"[" * 5000],
)
def test_what_is_no_list_of_keys_is_refused(document: bytes) -> None:
    with pytest.raises(BadKeyDocument):
        read_jwks(document)


def test_there_is_an_end_to_how_many_are_read() -> None:
    assert len(kids(*[public(OKP)] * MAX_KEYS)) == MAX_KEYS
    with pytest.raises(BadKeyDocument):
        kids(*[public(OKP)] * (MAX_KEYS + 1))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    base=st.sampled_from([public(EC), public(OKP), {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]),
    name=st.sampled_from(["kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e", "x5c"]),
    value=ANYTHING,
)
def test_no_entry_does_worse_than_being_left_out(
    base: dict[str, object], name: str, value: object
) -> None:
    found = kids(public(OKP), {**base, name: value}, public(EC))
    assert found[0] == "okp"
    assert found[-1] == "ec"


def test_a_key_fits_its_own_algorithm_only() -> None:
    entries = [public(EC), public(EC, alg="ES256"), public(EC, alg="ECDH-ES"), public(OKP)]
    fitting = [
        {alg for alg in JWSRegistry.algorithms if fits(key, alg)}
        for key in read_jwks(json.dumps({"keys": entries}).encode())
    ]
    assert fitting == [{"ES256"}, {"ES256"}, set(), {"EdDSA", "Ed25519"}]
    assert not fits(EC, "no such algorithm")


@pytest.mark.parametrize("name", get_args(Algorithm))
def test_settings_offer_only_algorithms_that_exist_and_need_no_secret(name: str) -> None:
    algorithm = JWSRegistry.algorithms[name]
    assert algorithm.key_type in {"RSA", "EC", "OKP"}
    assert algorithm.security_warning is None
