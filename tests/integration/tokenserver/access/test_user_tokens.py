"""Users' tokens, signed by real keys that a real provider publishes: who gets in, who does not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import get_args

import pytest
from joserfc import jwe, jwt
from joserfc.jwk import Key, OctKey, RSAKey

from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    access_settings,
    ec_key,
    okp_key,
    rsa_key,
    running_provider,
)
from tokenserver.access.keys import KeysUnavailable, open_keys
from tokenserver.access.settings import Algorithm
from tokenserver.access.user_tokens import (
    MAX_TOKEN_BYTES,
    InvalidUserToken,
    UserTokens,
    user_id_of,
)

LEEWAY_S = 60
NO_CLAIMS: list[dict[str, object]] = [
    {"iss": None, "aud": None},
    {"iss": "", "aud": ""},
    {"iss": [], "aud": []},
]


@pytest.fixture
async def tokens(provider: IdentityProvider) -> AsyncIterator[UserTokens]:
    """Checks tokens as the defaults say."""
    provider.publish(rsa_key(), ec_key())
    settings = access_settings(provider, auth_leeway_s=LEEWAY_S)
    async with open_keys(settings) as keys:
        yield UserTokens(settings, keys)


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def with_header(token: str, header: object) -> str:
    """Return a token with another header and the signature that it had."""
    _, claims, signature = token.split(".")
    return ".".join([base64url(json.dumps(header).encode()), claims, signature])


async def refusal(tokens: UserTokens, token: str) -> str:
    """Return why a token is refused, as the log says it."""
    with pytest.raises(InvalidUserToken) as caught:
        await tokens.verify(token)
    assert caught.value.__cause__ is None
    return str(caught.value)


async def test_a_good_token_says_who_it_is(provider: IdentityProvider, tokens: UserTokens) -> None:
    assert await tokens.verify(provider.token(rsa_key(), claims={"sub": "anna@example.com"})) == (
        "anna@example.com"
    )
    assert await tokens.verify(provider.token(ec_key())) == "anna"
    assert provider.requests == 1


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *((name, rsa_key()) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ES256", ec_key()),
        ("ES384", ec_key("ec-384", "P-384")),
        ("ES512", ec_key("ec-521", "P-521")),
        ("Ed25519", okp_key()),
    ],
)
async def test_every_algorithm_of_the_settings_works(
    provider: IdentityProvider, algorithm: Algorithm, key: Key
) -> None:
    provider.publish(rsa_key("other"), key)
    token = provider.token(key, alg=algorithm)
    settings = access_settings(provider, auth_algorithms=[algorithm])
    async with open_keys(settings) as keys:
        assert await UserTokens(settings, keys).verify(token) == "anna"
        others = [name for name in get_args(Algorithm) if name != algorithm]
        without = access_settings(provider, auth_algorithms=others)
        refused = await refusal(UserTokens(without, keys), token)
        assert refused == "its algorithm is not allowed"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": -90}, "expired_token: exp"),
        ({"nbf": 90}, "invalid_claim: nbf"),
        ({"iat": 90}, "invalid_claim: iat"),
    ],
)
async def test_a_token_out_of_its_time_is_refused(
    provider: IdentityProvider, tokens: UserTokens, claims: dict[str, int], reason: str
) -> None:
    """Attack 2 and Attack 40: 90 s off is too much for a leeway of 60 s."""
    now_s = int(time.time())
    token = provider.token(rsa_key(), claims={name: now_s + by_s for name, by_s in claims.items()})
    assert await refusal(tokens, token) == reason


@pytest.mark.parametrize("claims", [{"exp": -30}, {"nbf": 30}, {"iat": 30}, {"iat": -86_400}])
async def test_clocks_may_differ_a_little(
    provider: IdentityProvider, tokens: UserTokens, claims: dict[str, int]
) -> None:
    """Attack 40: 30 s off is within a leeway of 60 s."""
    now_s = int(time.time())
    token = provider.token(rsa_key(), claims={name: now_s + by_s for name, by_s in claims.items()})
    assert await tokens.verify(token) == "anna"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example.com/"}, "invalid_claim: iss"),
        ({"iss": ISSUER.rstrip("/")}, "invalid_claim: iss"),
        ({"iss": ISSUER.upper()}, "invalid_claim: iss"),
        ({"iss": [ISSUER]}, "invalid_claim: iss"),
        ({"iss": None}, "missing_claim: iss"),
        ({"aud": "another"}, "invalid_claim: aud"),
        ({"aud": ["another", AUDIENCE + "2"]}, "invalid_claim: aud"),
        ({"aud": []}, "invalid_claim: aud"),
        ({"aud": ""}, "invalid_claim: aud"),
        ({"aud": {AUDIENCE: 1}}, "invalid_claim: aud"),
        ({"aud": [[AUDIENCE]]}, "invalid_claim: aud"),
        ({"exp": "9999999999"}, "invalid_claim: exp"),
        ({"exp": True}, "invalid_claim: exp"),
        ({"exp": float("inf")}, "invalid_claim: exp"),
        ({"exp": float("nan")}, "invalid_claim: exp"),
        ({"exp": 0}, "expired_token: exp"),
        ({"nbf": "soon"}, "invalid_claim: nbf"),
        ({"sub": ""}, "invalid_claim: sub"),
        ({"sub": None}, "missing_claim: sub"),
        ({"sub": 7}, "invalid_claim: sub"),
        ({"sub": ["anna"]}, "invalid_claim: sub"),
        ({"sub": "\ud800"}, "it does not say whose it is"),
    ],
)
async def test_claims_that_prove_nothing_are_refused(
    provider: IdentityProvider,
    tokens: UserTokens,
    claims: dict[str, object],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attack 2: well signed, and meant for others, or for nobody."""
    if claims == {"sub": "\ud800"}:  # as JSON may write it, and joserfc does not
        monkeypatch.setattr(jwt, "convert_claims", lambda c, _: json.dumps(c).encode())
    assert await refusal(tokens, provider.token(rsa_key(), claims=claims)) == reason


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "sub"])
async def test_every_proof_has_to_be_there(
    provider: IdentityProvider, tokens: UserTokens, name: str
) -> None:
    """Attack 2: what is left out is not taken as fine."""
    token = provider.token(rsa_key(), without=name)
    assert await refusal(tokens, token) == f"missing_claim: {name}"


async def test_one_of_several_audiences_is_enough(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    assert (
        await tokens.verify(provider.token(rsa_key(), claims={"aud": ["another", AUDIENCE]}))
        == "anna"
    )


async def test_an_unsigned_token_is_refused(provider: IdentityProvider, tokens: UserTokens) -> None:
    """Attack 3: `none`, in any spelling, with a signature or without."""
    good = provider.token(rsa_key())
    for name in ("none", "None", "NONE", ""):
        forged = with_header(good, {"alg": name, "kid": "rsa-1"})
        assert await refusal(tokens, forged) == "its algorithm is not allowed"
        bare = forged.rpartition(".")[0] + "."
        assert await refusal(tokens, bare) == "its algorithm is not allowed"
    assert provider.requests == 0


async def test_the_public_key_is_no_shared_secret(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 3: HS256 with what everybody can download."""
    public = rsa_key()
    spellings = [public.as_pem(private=False), public.as_der(private=False)]
    spellings.append(json.dumps(public.as_dict(private=False)).encode())
    for secret in spellings:
        token = with_header(provider.token(rsa_key()), {"alg": "HS256", "kid": "rsa-1"})
        signed = token.rpartition(".")[0]
        forged = f"{signed}.{base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"
        assert await refusal(tokens, forged) == "its algorithm is not allowed"
    assert provider.requests == 0


async def test_a_shared_secret_among_the_keys_is_not_used(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 3: whoever reads it there could sign with it."""
    secret = OctKey.generate_key(256, {"kid": "shared"})
    provider.publish(rsa_key())
    provider.document = {"keys": [secret.as_dict(private=True), rsa_key().as_dict(private=False)]}
    token = provider.token(secret, header={"alg": "HS256"})
    assert await refusal(tokens, token) == "its algorithm is not allowed"
    renamed = with_header(token, {"alg": "RS256", "kid": "shared"})
    assert "does not have" in await refusal(tokens, renamed)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp-policy"], "exp-policy": 1},
        {"crit": ["missing"]},
        {"crit": ["kid"]},
        {"crit": []},
        {"crit": 5},
        {"crit": None},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
    ],
)
async def test_a_token_that_asks_for_more_is_refused(
    provider: IdentityProvider, tokens: UserTokens, header: dict[str, object]
) -> None:
    """Attack 3: what we do not understand and must, we refuse."""
    good = provider.token(rsa_key())
    forged = with_header(good, {"alg": "RS256", "kid": "rsa-1"} | header)
    assert await refusal(tokens, forged) == "it asks for extensions"
    assert provider.requests == 0


async def test_a_well_signed_critical_header_is_refused(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 3: even the provider's own signature does not make us understand it."""
    token = provider.token(rsa_key(), header={"crit": ["kid"]})
    assert await refusal(tokens, token) == "it asks for extensions"


async def test_headers_of_the_provider_s_own_are_ignored(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    assert await tokens.verify(provider.token(rsa_key(), header={"cat": "its own"})) == "anna"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_access_tokens_are_welcome(
    provider: IdentityProvider, tokens: UserTokens, typ: str
) -> None:
    assert await tokens.verify(provider.token(rsa_key(), header={"typ": typ})) == "anna"


@pytest.mark.parametrize("typ", ["logout+jwt", "secevent+jwt", "dpop+jwt", "", 5, None])
async def test_another_type_of_token_is_refused(
    provider: IdentityProvider, tokens: UserTokens, typ: object
) -> None:
    token = provider.token(rsa_key(), header={"typ": "JWT"})
    forged = with_header(token, {"alg": "RS256", "kid": "rsa-1", "typ": typ})
    assert await refusal(tokens, forged) == "it is another type of token"


async def test_the_signature_counts(provider: IdentityProvider, tokens: UserTokens) -> None:
    """Attack 3: another key under a known name, another's claims, no signature."""
    stranger = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    assert await refusal(tokens, provider.token(stranger)) == "bad_signature"
    head, _, signature = provider.token(rsa_key()).split(".")
    other = provider.token(rsa_key(), claims={"sub": "berta"}).split(".")[1]
    assert await refusal(tokens, f"{head}.{other}.{signature}") == "bad_signature"
    assert await refusal(tokens, f"{head}.{other}.") == "bad_signature"
    swapped = provider.token(ec_key(), header={"kid": "rsa-1"})
    assert "does not have" in await refusal(tokens, swapped)


async def test_a_token_that_names_another_key_is_refused(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 3: the key it names is the one that counts, though another would fit."""
    provider.publish(rsa_key(), rsa_key("rsa-2"))
    token = provider.token(rsa_key("rsa-2"), header={"kid": "rsa-1"})
    assert await refusal(tokens, token) == "bad_signature"


async def test_a_key_that_comes_along_is_not_looked_at(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 3: neither one inside the token, nor one at an address that it names."""
    stranger = RSAKey.generate_key(2048, {"kid": "mine"})
    async with running_provider() as elsewhere:
        elsewhere.publish(stranger)
        inside: dict[str, object] = {"jwk": stranger.as_dict(private=False)}
        addresses: dict[str, object] = {"jku": elsewhere.url, "x5u": elsewhere.url}
        for header in inside, addresses, inside | {"kid": "rsa-1"}, addresses | {"kid": "rsa-1"}:
            await refusal(tokens, provider.token(stranger, header=header))
        assert elsewhere.requests == 0


async def test_unknown_keys_are_refused_and_hardly_asked_for(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    """Attack 4: a hundred invented key ids, one question at most."""
    assert await tokens.verify(provider.token(rsa_key())) == "anna"
    good = provider.token(rsa_key())
    for number in range(100):
        forged = with_header(good, {"alg": "RS256", "kid": f"invented-{number}"})
        assert "does not have" in await refusal(tokens, forged)
    assert provider.requests == 1


async def test_the_provider_s_outage(provider: IdentityProvider) -> None:
    """Attack 5: known keys go on working, unknown ones are for later."""
    provider.publish(rsa_key())
    settings = access_settings(provider, auth_keys_ttl_s=10, auth_keys_cooldown_s=1)
    now_s = 0.0
    async with open_keys(settings, clock=lambda: now_s) as keys:
        tokens = UserTokens(settings, keys)
        assert await tokens.verify(provider.token(rsa_key())) == "anna"
        provider.fail()
        now_s = 100
        assert await tokens.verify(provider.token(rsa_key())) == "anna"
        with pytest.raises(KeysUnavailable) as caught:
            await tokens.verify(provider.token(rsa_key("rsa-2")))
        assert caught.value.retry_after_s == 1


async def test_an_encrypted_token_is_refused(
    provider: IdentityProvider, tokens: UserTokens
) -> None:
    registry = jwe.JWERegistry(algorithms=["RSA-OAEP", "A128GCM"])
    public = RSAKey.import_key(rsa_key().as_pem(private=False))
    header = {"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "rsa-1"}
    token = jwt.encode(header, {"sub": "anna"}, public, registry=registry)
    assert await refusal(tokens, token) == "it is not signed, but encrypted or something else"
    assert provider.requests == 0


async def test_a_token_may_have_8_kib(provider: IdentityProvider, tokens: UserTokens) -> None:
    bare = len(provider.token(rsa_key(), claims={"padding": ""}))
    room = (MAX_TOKEN_BYTES - bare) * 3 // 4 - 4
    assert await tokens.verify(provider.token(rsa_key(), claims={"padding": "x" * room})) == "anna"
    too_long = provider.token(rsa_key(), claims={"padding": "x" * (room + 16)})
    assert len(too_long) > MAX_TOKEN_BYTES
    assert await refusal(tokens, too_long) == "it is too long, or no token at all"


@pytest.mark.parametrize(
    "claims", [b"[]", b'"anna"', b"null", b"{", b"[" * 4000, b"\xff", b'{"exp": ' + b"9" * 4400]
)
async def test_signed_nonsense_is_refused(
    provider: IdentityProvider,
    tokens: UserTokens,
    claims: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jwt, "convert_claims", lambda *_: claims)
    assert await refusal(tokens, provider.token(rsa_key())) in {"invalid_payload", "RecursionError"}


async def test_without_an_issuer_nobody_gets_in(provider: IdentityProvider) -> None:
    """Settings of another mode have no issuer: that must not mean any."""
    provider.publish(rsa_key())
    complete = access_settings(provider)
    for missing in ("auth_issuer", "auth_audience"):
        settings = complete.model_copy(update={missing: None})
        async with open_keys(settings) as keys:
            tokens = UserTokens(settings, keys)
            for claims in NO_CLAIMS:
                await refusal(tokens, provider.token(rsa_key(), claims=claims))
            await refusal(tokens, provider.token(rsa_key()))


async def test_a_foreign_name_becomes_an_id(provider: IdentityProvider, tokens: UserTokens) -> None:
    user = await tokens.verify(provider.token(rsa_key(), claims={"sub": "auth0|abc"}))
    assert user == user_id_of("auth0|abc")
    assert user.startswith("sub-")
    # Nobody becomes that user by taking the id for a name.
    assert await tokens.verify(provider.token(rsa_key(), claims={"sub": user})) != user
