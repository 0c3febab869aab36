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

-- One managed credential, with the rotation under way if there is one. `kind` is the driver's word for which of its
-- facts hold; `minted_from` is the identifier of the credential with which it is minted.
CREATE TABLE credential (
    id INTEGER NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    parent TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    locator TEXT NOT NULL,
    minted_from TEXT,
    protected INTEGER NOT NULL,
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
CREATE INDEX credential_minted ON credential (minted_from) WHERE minted_from IS NOT NULL;
CREATE INDEX credential_in_rotation ON credential (rotation_id) WHERE rotation_id IS NOT NULL;

-- One minted instance. Never deleted: dead versions are evidence. While `presence` is 'prepared', the platform is still
-- to be told of it, and `handle` is a name of ours.
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
    expires_at INTEGER,
    disabled_at INTEGER,
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
-- current when we wrote: promotion compares with it. `fingerprint` is that of the value in the form in which it went.
CREATE TABLE delivery (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    rotation_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    store_version TEXT NOT NULL,
    replaced TEXT,
    fingerprint BLOB NOT NULL,
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

-- A step that waits for a person. At most one of a credential is open.
CREATE TABLE task (
    id INTEGER NOT NULL PRIMARY KEY,
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    rotation_id TEXT NOT NULL,
    ask TEXT NOT NULL,
    version INTEGER,
    asked_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_by TEXT,
    outcome TEXT
) STRICT;
CREATE UNIQUE INDEX task_open ON task (credential_id) WHERE ended_at IS NULL;

-- Evidence beside the issuer's ---------------------------------------------------------------------------------------

-- What each consumer last said that it runs.
CREATE TABLE acknowledgement (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    consumer TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (credential_id, consumer)
) STRICT, WITHOUT ROWID;

-- Evidence that a person takes upon themselves to do without, until a time. `consumer` is empty for the silence of the
-- old version.
CREATE TABLE waiver (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    consumer TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (credential_id, consumer)
) STRICT, WITHOUT ROWID;

-- Which consumers were told of the successor of which rotation.
CREATE TABLE told (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    rotation_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (credential_id, rotation_id, consumer)
) STRICT, WITHOUT ROWID;

-- What the last inspection found at a destination that is not what was delivered.
CREATE TABLE drift (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    what TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (credential_id, store, path)
) STRICT, WITHOUT ROWID;

-- Campaigns ----------------------------------------------------------------------------------------------------------

-- A leak, and every version that it may have exposed. `store` and `since` say what was looked for.
CREATE TABLE campaign (
    id INTEGER NOT NULL PRIMARY KEY,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    store TEXT,
    since INTEGER
) STRICT;
CREATE TABLE campaign_member (
    campaign_id INTEGER NOT NULL REFERENCES campaign (id),
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    version INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, credential_id, version)
) STRICT, WITHOUT ROWID;

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

-- Notices --------------------------------------------------------------------------------------------------------------

-- What one recipient of one channel is told. `about` is the same each time that the same thing is noticed. `message` is
-- given when it first goes out, together with others, and stays while nobody knows whether that arrived.
CREATE TABLE notice (
    id INTEGER NOT NULL PRIMARY KEY,
    notifier TEXT NOT NULL,
    recipient TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    about TEXT NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    state TEXT NOT NULL,
    advice TEXT NOT NULL,
    message TEXT,
    attempts INTEGER NOT NULL,
    retry_at INTEGER,
    error TEXT,
    sent_at INTEGER
) STRICT;
CREATE INDEX notice_by_about ON notice (about, notifier, recipient, at);
CREATE INDEX notice_by_message ON notice (message) WHERE message IS NOT NULL;
CREATE INDEX notice_pending ON notice (notifier, recipient, id) WHERE sent_at IS NULL;
CREATE INDEX notice_stale ON notice (subject) WHERE sent_at IS NULL;
CREATE INDEX notice_sent ON notice (sent_at) WHERE sent_at IS NOT NULL;

-- A channel that took nothing from us lately, whoever it was for.
CREATE TABLE notifier_trouble (
    notifier TEXT NOT NULL PRIMARY KEY,
    attempts INTEGER NOT NULL,
    retry_at INTEGER,
    error TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Up to which entry of the journal people have been told.
CREATE TABLE notice_mark (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    entry INTEGER NOT NULL
) STRICT;

-- A secret that waits to be picked up, once. `code` is a keyed hash of what the one who takes it has to show.
CREATE TABLE pickup (
    id INTEGER NOT NULL PRIMARY KEY,
    code BLOB NOT NULL UNIQUE,
    store TEXT NOT NULL,
    path TEXT NOT NULL,
    made_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    taken_by TEXT,
    taken_at INTEGER
) STRICT;
