"""Controls out of databases: any measurement by any other vantage point may answer for one of ours, the nearest in
time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.app.judge import observations_of, parse_time, seconds_between
from probe.model.errors import BundleError, StoreError, TargetError
from probe.model.kinds import DnsLookup, QuicHandshake, TlsHandshake
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.target import Target, parse_target
from probe.model.vantage import Run, Vantage
from probe.store.blobs import pack_blob
from probe.store.sqlite import Store, insert_statement, values_of
from probe.verdict.case import CONTROL_MAX_AGE_S, Control
from probe.wire.facts import Row, row_of


@dataclass(frozen=True, slots=True)
class Answer:
    """A control and the rows that must be copied for it to be judged again elsewhere."""

    control: Control
    rows: tuple[Row, ...]


class Archive:
    """A database of other vantage points' measurements, by normal URL. Raises StoreError when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path, create=False, writable=False)
        self._by_url: dict[str, list[Measurement]] = {}
        for measurement in self.store.rows(Measurement, "checks != 'line'"):
            try:
                normal = parse_target(measurement.url).normal
                parse_time(measurement.started_at)
            except (TargetError, BundleError):
                continue
            self._by_url.setdefault(normal, []).append(measurement)

    def answer(self, target: Target, measurement: Measurement) -> Answer | None:
        """The nearest measurement of the same URL within a day, or None."""
        near = [(seconds_between(measurement, m), m.measurement_id, m) for m in self._by_url.get(target.normal, ())]
        near = [row for row in near if row[0] <= CONTROL_MAX_AGE_S]
        if not near:
            return None
        age, name, found = min(near)
        try:
            observations = observations_of(self.store, name)
        except BundleError as error:
            raise StoreError(f"{self.store.path}: {error}") from None
        control = Control(found, observations, age)
        return Answer(control, tuple(self._rows(control)))

    def _rows(self, control: Control) -> Iterable[Row]:
        run = next(self.store.rows(Run, "run_id = ?", (control.measurement.run_id,)), None)
        if run is not None:
            yield from self.store.rows(Vantage, "vantage_id = ?", (run.vantage_id,))
            yield run
        yield control.measurement
        for observation in control.observations:
            yield row_of(observation)
            yield from self._blobs_of(observation.detail)

    def _blobs_of(self, detail: object) -> Iterable[Blob]:
        names = detail.chain if isinstance(detail, TlsHandshake | QuicHandshake) else ()
        if isinstance(detail, DnsLookup) and detail.message:
            names = (detail.message,)
        found = (self.store.blob(name) for name in names)
        return (blob for blob in found if blob is not None)

    def close(self) -> None:
        self.store.close()


class Known:
    """The controls of one run: what archives answer is copied into the run's own database, which can then be judged
    alone, and no control is taken into it twice."""

    def __init__(self, store: Store, archives: tuple[Archive, ...]) -> None:
        self._store, self._archives = store, archives
        self._taken: set[str] = set()

    def admit(self, control_id: str) -> bool:
        """True once for each control measurement, and never for one that is in the database already."""
        known = control_id in self._taken or self._store.query(
            "SELECT 1 FROM measurement WHERE measurement_id = ?", (control_id,)
        )
        self._taken.add(control_id)
        return not known

    def of(self, target: Target, measurement: Measurement) -> tuple[Control, ...]:
        """What the archives answer for a measurement, one control each at most."""
        found = [archive.answer(target, measurement) for archive in self._archives]
        answers = [answer for answer in found if answer is not None]
        for answer in answers:
            name = answer.control.measurement.measurement_id
            if name not in self._taken:
                self._taken.add(name)
                copy_facts(self._store, answer.rows)
        return tuple(answer.control for answer in answers)


def copy_facts(store: Store, rows: Iterable[Row]) -> None:
    """Add facts that may be there already (an equal key is left as it is)."""
    store.flush()
    for row in rows:
        if isinstance(row, Blob):
            media, data = pack_blob(row)
            store.write(insert_statement("blob", ignore=True), [(row.sha256, media, row.size, data)])
        else:
            table = "observation" if not isinstance(row, Vantage | Run | Measurement) else type(row).__name__.lower()
            store.write(insert_statement(table, ignore=True), [values_of(row)])
