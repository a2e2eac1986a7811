-- Schema 1. Never edited after a release: a change is a new file and a new line in schema.rs.
-- Ids are the 64 bits of the hex id as a signed integer (printf('%016x', id) shows them as people know them).
-- Times are microseconds since the Unix epoch, UTC. Columns are what queries need; the rest of a row is its JSON.
CREATE TABLE templates (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL, count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, merged_into INTEGER
) STRICT;
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY, program TEXT NOT NULL, level INTEGER NOT NULL, template INTEGER NOT NULL,
    learned INTEGER NOT NULL, count INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
) STRICT;
CREATE TABLE verdicts (kind INTEGER PRIMARY KEY, judged_at INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
CREATE TABLE questions (kind INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE findings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, incident INTEGER, kind INTEGER, severity INTEGER NOT NULL,
    last_seen INTEGER NOT NULL, json TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_incident ON findings (incident, sequence) WHERE incident IS NOT NULL;
CREATE INDEX findings_by_kind ON findings (kind, sequence) WHERE kind IS NOT NULL;
CREATE INDEX findings_by_time ON findings (last_seen);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, severity INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, json TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_time ON incidents (last_seen);
CREATE TABLE outbox (
    alert TEXT PRIMARY KEY, notifier TEXT NOT NULL, incident INTEGER NOT NULL, created_at INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE TABLE delivered (
    alert TEXT PRIMARY KEY, notifier TEXT NOT NULL, incident INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX delivered_by_incident ON delivered (incident);
CREATE TABLE dead_letters (alert TEXT PRIMARY KEY, at INTEGER NOT NULL, error TEXT NOT NULL, json TEXT NOT NULL) STRICT;
CREATE TABLE spend (
    day TEXT NOT NULL, model TEXT NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, PRIMARY KEY (day, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE states (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE positions (stream TEXT PRIMARY KEY, sealed_at INTEGER, json TEXT NOT NULL) STRICT;
