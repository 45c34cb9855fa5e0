"""Which keys count where: those of the trust file and those that a ledger hands over to, without revoked ones.

The rule: a ledger adds a key only where the trust file lets the old one hand over. A revocation counts from its moment
on. An earlier signature of a revoked key is believed only if something shows that it is earlier: the chain, or a head
that the reader wrote down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from drillbook.evidence.verifying.findings import Code, Findings
from drillbook.evidence.verifying.trust import Trust, TrustedKey

__all__ = ["Place", "Ring", "Signing"]


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a signature in the ledger."""

    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signed, the signer's own time, and the place in the ledger; None: it is not in the ledger."""

    keyids: tuple[str, ...]
    moment: datetime
    place: Place | None


@dataclass(frozen=True, slots=True)
class _Rotation:
    old: str
    new: TrustedKey
    at: datetime
    place: Place


@dataclass(frozen=True, slots=True)
class _Revocation:
    since: datetime | None
    """None: nothing that the key signed counts, because a key that no longer counted handed over to it."""
    place: Place | None
    """None: it is in the trust file."""


@dataclass(slots=True)
class Ring:
    """The keys that count. It is filled while the ledgers are read, and asked about moments afterwards."""

    trust: Trust
    anchored: dict[str, int] = field(default_factory=dict)
    """For each stream, the last entry that a head known to the reader covers."""
    _rotations: list[_Rotation] = field(default_factory=list)
    _revocations: dict[str, list[_Revocation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.trust.keys.values():
            if key.revoked_at is not None:
                self._revocations[key.keyid] = [_Revocation(key.revoked_at, None)]

    def keys(self, place: Place | None) -> Mapping[str, TrustedKey]:
        """The keys that may have signed there. Anywhere: including all that were handed over to."""
        if not self._rotations:
            return self.trust.keys
        keys = dict(self.trust.keys)
        for each in self._rotations:
            if place is None:
                keys[each.new.keyid] = each.new
            elif each.place.stream == place.stream and each.place.seq < place.seq:
                keys.pop(each.old, None)
                keys[each.new.keyid] = each.new
        return keys

    def handed_over(self, old: TrustedKey, new: TrustedKey, at: datetime, place: Place) -> None:
        """The old key's holder has signed that the new one replaces it from here on."""
        heir = replace(new, name=old.name, not_before=old.not_before, not_after=old.not_after, may_rotate=True)
        self._rotations.append(_Rotation(old.keyid, heir, at, place))

    def revoked(self, keyid: str, since: datetime, place: Place) -> None:
        """Somebody has signed that nobody should believe a key since then."""
        self._revocations.setdefault(keyid, []).append(_Revocation(since, place))

    def all_known(self) -> None:
        """All ledgers are read. A key that a revoked key handed over to counts no more than that key."""
        todo = list(self._revocations)
        while todo:
            keyid = todo.pop()
            for each in self._rotations:
                after = any(_after(revocation, each.at, each.place) for revocation in self._revocations[keyid])
                if each.old == keyid and after and each.new.keyid not in self._revocations:
                    self._revocations[each.new.keyid] = [_Revocation(None, each.place)]
                    todo.append(each.new.keyid)

    def judge(self, signings: Iterable[tuple[str, Signing]], findings: Findings) -> None:
        """Report which of these (where, signing) were made when their key did not count."""
        for where, each in signings:
            keys = self.keys(each.place)
            for keyid in each.keyids:
                key = keys.get(keyid)
                if key is not None and key.outside(each.moment):
                    sentence = f"it was signed at {each.moment:%Y-%m-%dT%H:%M:%SZ}, when the key {keyid} did not count"
                    findings.add(Code.E_KEY_VALIDITY, where, sentence)
                for revocation in self._revocations.get(keyid, ()):
                    self._judge(where, keyid, each, revocation, findings)

    def _judge(self, where: str, keyid: str, signing: Signing, revocation: _Revocation, findings: Findings) -> None:
        if _after(revocation, signing.moment, signing.place):
            since = "" if revocation.since is None else f" since {revocation.since:%Y-%m-%dT%H:%M:%SZ}"
            findings.add(Code.E_KEY_REVOKED, where, f"the key {keyid}, which has signed it, is revoked{since}")
        elif not self._before(signing.place, revocation.place):
            sentence = (
                f"it says that it was signed before the key {keyid} was revoked, and nothing shows that: name a head "
                "from before with --expect-head"
            )
            findings.add(Code.E_NOT_ANCHORED, where, sentence)

    def _before(self, place: Place | None, revoked: Place | None) -> bool:
        """Whether something other than the signer's word shows that it was signed before."""
        if place is None:
            return False
        chained = revoked is not None and revoked.stream == place.stream
        return chained or place.seq <= self.anchored.get(place.stream, -1)


def _after(revocation: _Revocation, moment: datetime, place: Place | None) -> bool:
    if revocation.since is None or moment >= revocation.since:
        return True
    there = revocation.place
    return there is not None and place is not None and there.stream == place.stream and place.seq > there.seq
