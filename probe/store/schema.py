"""The tables as data: columns, types, meaning, and whether they hold facts, opinions or our own bookkeeping.

Everything else is rendered from these rows: SQLite's DDL, the triggers that make facts append-only, the `about` table
inside every database, the strict whitelist for databases from outside, and docs/database.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# PRAGMA user_version of the databases this version writes. Newer probes read older ones; older refuse newer.
SCHEMA_VERSION = 2
# The version that last changed what facts look like: a bundle says this one, since it carries nothing but facts.
FACT_VERSION = 1

Type = Literal["text", "int", "blob"]
Shelf = Literal["fact", "opinion", "ledger"]


@dataclass(frozen=True, slots=True)
class Column:
    """`null` tells whether the column may be empty."""

    name: str
    type: Type
    meaning: str
    null: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`since` is the schema version that brought it; files of an older one lack it."""

    name: str
    shelf: Shelf
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    since: int = 1


def _t(name: str, meaning: str, null: bool = False) -> Column:
    return Column(name, "text", meaning, null)


def _i(name: str, meaning: str, null: bool = False) -> Column:
    return Column(name, "int", meaning, null)


TABLES: tuple[Table, ...] = (
    Table(
        "vantage",
        "fact",
        "a place in a network that measures; never holds an address of the person",
        (
            _t("vantage_id", "128 random bits in hex"),
            _t("role", "field or control"),
            _t("cc", "country, ISO 3166-1 alpha-2, or empty"),
            _i("asn", "autonomous system number", True),
            _t("place", "city or region, only if the volunteer typed it"),
            _t("access", "fixed, mobile or empty"),
            _t("gateway", "upstream gateway where known"),
            _t("who_says", "who told network and country: typed, seen, netdb:<date>:<digest>, or empty"),
            _i("resolver_asn", "network of the resolver in use", True),
            _t("software", "name of the program"),
            _t("version", "its version"),
            _t("platform", "operating system family and Python version"),
        ),
        ("vantage_id",),
    ),
    Table(
        "run",
        "fact",
        "one sitting over a list",
        (
            _t("run_id", "128 random bits in hex"),
            _t("vantage_id", "who measured"),
            _t("started_at", "RFC 3339 UTC"),
            _t("list_digest", "SHA-256 of the planned targets"),
            _t("config", "canonical JSON: options, digests of seeds, trust store and network database"),
        ),
        ("run_id",),
    ),
    Table(
        "measurement",
        "fact",
        "one target, one vantage point, once",
        (
            _t("measurement_id", "128 random bits in hex"),
            _t("run_id", "the run it belongs to"),
            _t("url", "the input to the letter"),
            _t("checks", "questions asked, joined by commas"),
            _t("started_at", "RFC 3339 UTC"),
            _t("answers", "the field measurement that this control measurement answers", True),
        ),
        ("measurement_id",),
        (("run_id",), ("answers",), ("url",)),
    ),
    Table(
        "observation",
        "fact",
        "one operation and what happened",
        (
            _t("measurement_id", "the measurement it belongs to"),
            _i("seq", "place in the measurement, from 0"),
            _i("parent", "seq it followed from", True),
            _t("kind", "type of the observation"),
            _t("host", "name asked for", True),
            _t("ip", "address dialled", True),
            _i("port", "port dialled", True),
            _i("attempt", "1 for the first try"),
            _t("why", "why the step was taken"),
            _t("failure", "public failure word, or empty when it worked", True),
            _i("at_us", "Unix time in microseconds when it began"),
            _i("took_us", "duration in microseconds"),
            _t("detail", "JSON of the kind's own fields"),
        ),
        ("measurement_id", "seq"),
        (("kind",),),
    ),
    Table(
        "blob",
        "fact",
        "bodies, certificates and DNS messages, stored once",
        (
            _t("sha256", "SHA-256 of the data before compression"),
            _t("media", "media type; with ;z=zlib the data column is zlib-compressed"),
            _i("size", "bytes before compression"),
            Column("data", "blob", "the bytes"),
        ),
        ("sha256",),
    ),
    Table(
        "verdict",
        "opinion",
        "what a ruleset makes of the facts; layer `headline` is the target's verdict",
        (
            _t("measurement_id", "the field measurement judged"),
            _t("layer", "dns, ip, tcp, tls, http, quic or headline"),
            _t("ruleset", "version of the rules"),
            _t("reference", "digest of the reference data"),
            _t("outcome", "one of the seven words"),
            _t("technique", "how, where blocked; several joined by spaces on the headline", True),
            _t("rule_id", "the rule that decided"),
            _t("matched", "all rules that matched, joined by spaces"),
            _t("witness", "measurement:seq pairs joined by spaces"),
            _t("reason", "why insufficient", True),
            _t("locus", "local, resolver, path, server or unknown", True),
            _t("detail", "JSON: scope, hop, explanation, control, attempts, siblings"),
        ),
        ("measurement_id", "layer", "ruleset", "reference"),
    ),
    Table(
        "sent",
        "ledger",
        "which measurements were cut into which bundle",
        (_t("measurement_id", "the measurement"), _t("bundle", "SHA-256 of the bundle")),
        ("measurement_id", "bundle"),
    ),
    Table(
        "receipt",
        "ledger",
        "what a collector acknowledged",
        (
            _t("bundle", "SHA-256 of the bundle"),
            _t("collector", "URL or name of the collector"),
            _t("received_at", "RFC 3339 UTC by the collector's clock"),
            _t("receipt", "JSON as the collector wrote it"),
        ),
        ("bundle", "collector"),
    ),
    Table(
        "origin",
        "ledger",
        "where merged or collected measurements came from",
        (
            _t("measurement_id", "the measurement"),
            _t("source", "bundle digest, or name of the merged file"),
            _t("signer", "public key of the bundle's signer, hex, or empty"),
            _t("network", "network that the collector saw, or empty; never an address"),
        ),
        ("measurement_id", "source"),
    ),
    Table(
        "quarantine",
        "ledger",
        "rows that contradict a fact already here: kept, never judged",
        (
            _t("digest", "SHA-256 of the row's canonical JSON"),
            _t("source", "where it came from"),
            _t("because", "what it contradicts"),
            _t("fact", "the row as a JSON line"),
        ),
        ("digest", "source"),
    ),
    Table(
        "voucher",
        "ledger",
        "signing keys behind which somebody invited stands; who is not known to anybody",
        (
            _t(
                "token",
                "public key of the token, hex; a token with two signers vouches for neither",
            ),
            _t("signer", "public key of the bundles' signer, hex"),
            _t("issuer", "SHA-256 of the public key that the organiser signs tokens with, hex"),
            _t("proof", "the voucher as canonical JSON: anybody can check its two signatures"),
        ),
        ("token", "signer"),
        (("signer",),),
        since=2,
    ),
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
FACT_TABLES: tuple[Table, ...] = tuple(table for table in TABLES if table.shelf == "fact")

_SQLITE = {"text": "TEXT", "int": "INTEGER", "blob": "BLOB"}


def sqlite_ddl() -> tuple[str, ...]:
    """Every statement that makes an empty database: tables, indexes, append-only triggers, views."""
    statements: list[str] = []
    for table in TABLES:
        statements.extend(table_ddl(table))
    statements.append("CREATE TABLE about (name TEXT PRIMARY KEY, meaning TEXT NOT NULL) WITHOUT ROWID")
    return (*statements, *(view_ddl(name, kind, cols) for name, kind, cols in VIEWS), VOUCHED)


def table_ddl(table: Table) -> tuple[str, ...]:
    """The statements that make one table, with its indexes and triggers."""
    columns = [f"{c.name} {_SQLITE[c.type]}{'' if c.null else ' NOT NULL'}" for c in table.columns]
    columns.append(f"PRIMARY KEY ({', '.join(table.key)})")
    # A big blob in a WITHOUT ROWID table sits in the key's B-tree and slows every look-up.
    tail = "" if table.name == "blob" else " WITHOUT ROWID"
    statements = [f"CREATE TABLE {table.name} ({', '.join(columns)}){tail}"]
    for index in table.indexes:
        name = f"{table.name}_{'_'.join(index)}"
        statements.append(f"CREATE INDEX {name} ON {table.name} ({', '.join(index)})")
    return (*statements, *_append_only(table.name)) if table.shelf == "fact" else tuple(statements)


# Which measurements an invited person stands behind. Evidence that is not in here may be one person's, many times over.
VOUCHED = (
    "CREATE VIEW vouched AS SELECT DISTINCT o.measurement_id, o.signer, v.issuer FROM origin o JOIN voucher v "
    "ON v.signer = o.signer WHERE (SELECT count(*) FROM voucher w WHERE w.token = v.token) = 1"
)


def _append_only(table: str) -> tuple[str, str]:
    """Facts refuse UPDATE and DELETE, whoever asks. Forgetting (`probe.store.erase`) alone takes the guard down."""
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table}: facts are append-only'); END",
        delete_guard(table),
    )


def delete_guard(table: str) -> str:
    """The trigger that refuses DELETE."""
    return (
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table}: facts are append-only'); END"
    )


def about_rows() -> tuple[tuple[str, str], ...]:
    """(name, meaning) of every table and column, for the `about` table inside the file."""
    rows = [("schema", f"Vantage Probe database, schema version {SCHEMA_VERSION}")]
    for table in TABLES:
        rows.append((table.name, f"{table.shelf}: {table.meaning}"))
        rows.extend((f"{table.name}.{column.name}", column.meaning) for column in table.columns)
    rows.extend((name, f"view: {kind} facts with named columns") for name, kind, _ in VIEWS)
    rows.append(("vouched", "view: measurements that an invited person's key brought, and who invited"))
    return tuple(rows)


VIEWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("obs_dns", "dns.lookup", ("resolver", "qtype", "rcode", "ede", "answers", "sends", "raw")),
    ("obs_tcp", "tcp.connect", ("raw", "info", "icmp")),
    ("obs_tls", "tls.handshake", ("sni", "version", "cipher", "alpn", "chain", "alert", "ended", "raw")),
    ("obs_verify", "tls.verify", ("store", "reason", "code", "name", "at")),
    ("obs_http", "http.fetch", ("url", "status", "protocol", "location", "body", "body_bytes", "truncated", "raw")),
)


def view_ddl(name: str, kind: str, fields: tuple[str, ...]) -> str:
    """A view that spreads a kind's JSON detail into named columns, for people with plain SQL."""
    spread = ", ".join(f"json_extract(detail, '$.{field}') AS {field}" for field in fields)
    envelope = "measurement_id, seq, parent, host, ip, port, attempt, why, failure, at_us, took_us"
    return f"CREATE VIEW {name} AS SELECT {envelope}, {spread} FROM observation WHERE kind = '{kind}'"
