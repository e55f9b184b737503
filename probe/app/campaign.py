"""A campaign: opened from a name, a file or a link; shown; agreed to; then measured for.

An organiser may name targets, but only the person at the line decides: a dossier is used after a yes to this very text,
and a changed one is shown again with what changed. The yes is remembered with the dossier itself, in the home.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from probe.app.campaign_text import changes, laid_out
from probe.app.home import home_dir, make_home
from probe.app.link import LinkError, fetch, host_of, is_link
from probe.app.talk import Talk, ask_yes, laid, terminal
from probe.inputs.categories import why_gated
from probe.inputs.dossier import MAX_DOSSIER, Read, is_over, read_dossier, read_file, targets_of
from probe.inputs.folders import data_folder
from probe.inputs.language import _, latin
from probe.inputs.reference import MANIFEST, NEEDED, load_reference, read_seeds
from probe.inputs.targets import Planned
from probe.model.collector import Collector
from probe.model.dossier import Dossier
from probe.model.errors import ConsentError, StoreError, UsageError

FOLDER = "campaigns"
Origin = Literal["ours", "file", "link"]


@dataclass(frozen=True, slots=True)
class Agreed:
    """A yes to a dossier: the `text` of its file, what named it (`digest`) and its author (`key`), when (RFC 3339 UTC),
    how (asked, or digest), and `where` it came from."""

    id: str
    digest: str
    key: str
    agreed_at: str
    how: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A dossier that is right in itself, and what was agreed to under its id before."""

    where: str
    origin: Origin
    read: Read
    before: Agreed | None

    @property
    def agreed(self) -> bool:
        """This very dossier was agreed to."""
        return self.before is not None and self.before.digest == self.read.digest


@dataclass(frozen=True, slots=True)
class Campaign:
    """A dossier as a run takes it. `held` are (url, reason) of targets whose category waits until it is opened by
    name."""

    dossier: Dossier
    digest: str
    planned: tuple[Planned, ...]
    held: tuple[tuple[str, str], ...]


# ---- opening ----


def own_campaigns() -> tuple[str, ...]:
    """Names of the dossiers that came with the program."""
    files = data_folder("seeds").glob("*.toml")
    return tuple(sorted(path.stem for path in files if path.name not in NEEDED | {MANIFEST}))


def open_campaign(
    where: str,
    *,
    ca_files: tuple[Path, ...] = (),
    proxy: str | None = None,
    denies: Callable[[str], bool] = lambda host: False,
    tell: Callable[[str], None] = lambda line: None,
) -> Opened:
    """The dossier of that name, in that file or behind that https link; what is fetched is told first, nothing from a
    host that the person denies, and the caller has seen to consent. Raises DossierError for what is wrong with it,
    UsageError, LinkError."""
    if is_link(where):
        host = host_of(where)
        if denies(host):
            raise UsageError(f"{host}: your deny list covers it")
        tell(_("Fetching the dossier from {host}, which sees your address and what you ask for.").format(host=host))
        return _opened(where, "link", _linked(where, ca_files, proxy, tell))
    if where in own_campaigns():
        data = read_seeds(data_folder("seeds"))[f"{where}.toml"]
        return _opened(where, "ours", read_dossier(data, where, load_reference()))
    if not Path(where).exists():
        raise UsageError(f"{where[:120]}: neither a campaign of ours ({', '.join(own_campaigns())}) nor a file or link")
    return _opened(where, "file", read_file(Path(where), load_reference()))


def _opened(where: str, origin: Origin, read: Read) -> Opened:
    if origin == "link" and not read.signed:
        raise UsageError(f"{where}: nobody has signed it; a dossier from a link must be signed by its author")
    return Opened(where, origin, read, agreed_before(read.dossier.id))


def _linked(link: str, ca_files: tuple[Path, ...], proxy: str | None, tell: Callable[[str], None]) -> Read:
    try:
        return read_dossier(fetch(link, MAX_DOSSIER, ca_files, proxy), link, load_reference())
    except LinkError as error:
        kept = next((one for one in all_agreed() if one.where == link), None)
        if kept is None:
            raise
        tell(_("{error}. Going on with what you agreed to on {when}.").format(error=error, when=kept.agreed_at))
        return read_dossier(kept.text.encode(), link, load_reference())


# ---- agreeing ----


def require_agreement(opened: Opened, *, yes: bool, talk: Talk | None = None) -> None:
    """Return when the person has agreed to this very dossier: now at the terminal, or before. `yes` asks nobody, and
    agrees to nothing new. Raises ConsentError; UsageError when the campaign is over."""
    refuse_if_over(opened)
    if opened.agreed:
        return
    talk = None if yes else talk or terminal()
    if talk is None:
        raise ConsentError(_how_to(opened))
    talk.say(introduction(opened))
    if not ask_yes(talk, _("Measure for this campaign? Type yes to agree:")):
        raise ConsentError(_("not agreed; nothing was measured"))
    remember(opened, "asked")


def refuse_if_over(opened: Opened) -> None:
    """Raises UsageError after the campaign's last day."""
    dossier = opened.read.dossier
    if is_over(dossier, datetime.now(UTC).date()):
        raise UsageError(
            _("campaign {id} is over: its last day was {day}").format(id=dossier.id, day=dossier.schedule.until)
        )


def _how_to(opened: Opened) -> str:
    ways = {
        "id": opened.read.dossier.id,
        "show": latin(f"probe campaign show {opened.where}"),
        "agree": latin(f"probe campaign agree {opened.where}"),
    }
    if opened.before is not None:
        return _("campaign {id} has changed since you agreed: read {show}, then run {agree}").format(**ways)
    return _("campaign {id} is not agreed to: read {show}, then run {agree}").format(**ways)


def campaign_of(read: Read, categories: Iterable[str] = ()) -> Campaign:
    """What `prepare` takes: the targets, without those of sensitive categories that `categories` does not name."""
    open_codes = {code.strip().upper() for code in categories}
    planned, held = [], []
    for target, aim in zip(targets_of(read.dossier), read.dossier.target, strict=True):
        why = why_gated(aim.category)
        if why and aim.category not in open_codes:
            held.append((aim.url, f"{aim.category}: {why}"))
        else:
            planned.append(Planned(target, (aim.url,), aim.category, aim.why))
    return Campaign(read.dossier, read.digest, tuple(planned), tuple(held))


def introduction(opened: Opened) -> str:
    """Everything that there is to read before a yes: the dossier in full, what changed, and on whose word it stands."""
    parts = [laid_out(opened.read), *(laid(text) for text in warnings(opened))]
    if opened.before is not None and not opened.agreed:
        parts.append(difference(opened))
    return "\n".join(parts)


def difference(opened: Opened) -> str:
    """What changed since the yes, line by line; empty where nothing did or there was none."""
    if opened.before is None or opened.agreed:
        return ""
    try:
        old = read_dossier(opened.before.text.encode(), opened.where, load_reference())
    except UsageError:
        # An older program agreed to what this one would refuse.
        return laid(_("What you agreed to before cannot be read any more."))
    heading = _("Changed since you agreed on {when}:").format(when=opened.before.agreed_at)
    return "\n".join([laid(heading), *changes(old, opened.read)])


def warnings(opened: Opened) -> list[str]:
    """What a careful person would want to be told."""
    said = []
    if not opened.read.signed and opened.origin == "ours":
        said.append(_("This dossier came with the program; nobody has signed it."))
    elif not opened.read.signed:
        said.append(_("Nobody has signed this dossier: only the way it came to you vouches for it."))
    if opened.before is not None and opened.before.key != opened.read.dossier.key:
        said.append(_("Its author's key is another one than before. Ask the author by another way what happened."))
    return said


# ---- remembering ----


def remember(opened: Opened, how: str) -> Agreed:
    """Write a yes down. Raises StoreError."""
    dossier = opened.read.dossier
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = Agreed(dossier.id, opened.read.digest, dossier.key, at, how, opened.where, opened.read.text)
    path = make_home() / FOLDER / f"{dossier.id}.json"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(asdict(given), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return given


def forget_agreement(name: str) -> bool:
    """Take a yes back; False when there was none. Raises StoreError."""
    path = home_dir() / FOLDER / f"{name}.json"
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return True


def agreed_before(name: str) -> Agreed | None:
    """The yes to a campaign of that id; None when there is none, or the record cannot be understood."""
    try:
        value = json.loads((home_dir() / FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        return Agreed(**{field: str(value[field]) for field in Agreed.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_agreed() -> list[Agreed]:
    """Every campaign that was agreed to, by id."""
    found = (agreed_before(path.stem) for path in sorted((home_dir() / FOLDER).glob("*.json")))
    return [one for one in found if one is not None]


def collector_of(name: str) -> Collector:
    """Where the results of a campaign that was agreed to may be sent. Raises UsageError, DossierError."""
    agreed = agreed_before(name)
    if agreed is None:
        raise UsageError(f"{name[:120]}: you have agreed to no campaign of that id (`probe campaign list`)")
    found = read_dossier(agreed.text.encode(), name, load_reference()).dossier.collector
    if not found.urls:
        raise UsageError(f"{name}: this campaign names no collector; say with --to where to send")
    return Collector(found.urls, found.key, found.recipient, found.issuer)
