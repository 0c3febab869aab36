-- Conventions: every table STRICT; times are INTEGER microseconds; booleans 0 and 1; no default values, so that every
-- INSERT says everything.

-- Sealing ------------------------------------------------------------------------------------------------------------

-- The one data key, wrapped by the root key.
CREATE TABLE data_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL
) STRICT;

-- What the embedded store keeps ----------------------------------------------------------------------------------------

-- One secret that applications read. The three labels hold numbers of its versions; `latest` is the highest number ever
-- given, so that none is given twice.
CREATE TABLE kept_secret (
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    latest INTEGER NOT NULL,
    pending INTEGER,
    current INTEGER,
    previous INTEGER,
    PRIMARY KEY (store, path)
) STRICT;

-- One version of it. `sealed` is NULL after it was discarded; the row stays, so that a repeated write adds nothing.
CREATE TABLE kept_version (
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    number INTEGER NOT NULL,
    attempt_key TEXT NOT NULL,
    credential TEXT NOT NULL,
    sealed BLOB,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (store, path, number),
    UNIQUE (store, path, attempt_key),
    FOREIGN KEY (store, path) REFERENCES kept_secret (store, path)
) STRICT;

-- The inventory --------------------------------------------------------------------------------------------------------

-- One configured issuer, as last observed. `clock_offset` is its clock less ours, in microseconds.
CREATE TABLE issuer_state (
    issuer TEXT NOT NULL PRIMARY KEY,
    observed_at INTEGER,
    clock_offset INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    error TEXT
) STRICT;

-- How often an engine was started on this database. What an earlier one began and did not finish is in doubt.
CREATE TABLE engine_epoch (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;

-- One managed credential, with the rotation under way if there is one.
CREATE TABLE credential (
    id INTEGER NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    locator TEXT NOT NULL,
    owner_name TEXT,
    owner_email TEXT,
    parent_enabled INTEGER NOT NULL,
    stray INTEGER NOT NULL,
    name_taken TEXT,
    first_seen_at INTEGER NOT NULL,
    hold_by TEXT,
    hold_reason TEXT,
    hold_since INTEGER,
    request_cause TEXT,
    request_by TEXT,
    request_reason TEXT,
    rotation_id TEXT,
    rotation_cause TEXT,
    rotation_by TEXT,
    rotation_reason TEXT,
    rotation_started_at INTEGER,
    rotation_from INTEGER,
    rotation_to INTEGER,
    attempts INTEGER NOT NULL,
    retry_at INTEGER,
    error TEXT,
    parked INTEGER NOT NULL
) STRICT;
CREATE INDEX credential_by_issuer ON credential (issuer);
CREATE INDEX credential_by_parent ON credential (parent);
CREATE INDEX credential_in_rotation ON credential (rotation_id) WHERE rotation_id IS NOT NULL;

-- One minted instance. Never deleted: dead versions are evidence.
CREATE TABLE version (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    number INTEGER NOT NULL,
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    origin TEXT NOT NULL,
    marker TEXT,
    created_at INTEGER NOT NULL,
    presence TEXT NOT NULL,
    verified_at INTEGER,
    revoked_at INTEGER,
    dead_at INTEGER,
    last_used_at INTEGER,
    usage_known_through INTEGER,
    usage_asked_at INTEGER,
    fingerprint BLOB,
    sealed BLOB,
    PRIMARY KEY (credential_id, number),
    UNIQUE (credential_id, handle)
) STRICT, WITHOUT ROWID;

-- How far the successor of one rotation has come at one destination. `replaced` is the store's version that was
-- current when we wrote: promotion compares with it.
CREATE TABLE delivery (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    rotation_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    store_version TEXT NOT NULL,
    replaced TEXT,
    written_at INTEGER NOT NULL,
    promoted_at INTEGER,
    confirmed_at INTEGER,
    first_confirmed_at INTEGER,
    PRIMARY KEY (credential_id, rotation_id, store, path)
) STRICT, WITHOUT ROWID;

-- Each place belongs to one credential: two that would overwrite each other are refused before the first effect.
CREATE TABLE destination (
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    PRIMARY KEY (store, path)
) STRICT, WITHOUT ROWID;

-- The journal ----------------------------------------------------------------------------------------------------------

-- One step: its intent, synced before the effect, and its outcome. `version` and `destination` say on what.
CREATE TABLE journal (
    id INTEGER NOT NULL PRIMARY KEY,
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    rotation_id TEXT,
    step TEXT NOT NULL,
    version INTEGER,
    destination TEXT,
    reason TEXT NOT NULL,
    phase TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX journal_by_credential ON journal (credential_id, id);
CREATE INDEX journal_open ON journal (phase) WHERE phase IN ('begun', 'in_doubt');

-- Words of people: holds, releases, requests. Part of a credential's history.
CREATE TABLE decision (
    id INTEGER NOT NULL PRIMARY KEY,
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX decision_by_credential ON decision (credential_id, id);
