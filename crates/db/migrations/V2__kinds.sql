-- What came with further kinds of platform, people's steps, consumers, campaigns and notices. Conventions as in V1; a
-- column that is added to a table with rows has a value for them.

-- `kind` is the driver's word for which of its facts hold; `minted_from` is the identifier of the credential with which it
-- is minted.
ALTER TABLE credential ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN minted_from TEXT;
ALTER TABLE credential ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;

-- While `presence` is 'prepared', the platform is still to be told of a version, and its `handle` is a name of ours.
ALTER TABLE version ADD COLUMN expires_at INTEGER;
ALTER TABLE version ADD COLUMN disabled_at INTEGER;

-- `fingerprint` is that of the value in the form in which it went. What was delivered before had no form but its own.
ALTER TABLE delivery ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x'';
UPDATE delivery SET fingerprint = coalesce(
    (SELECT v.fingerprint FROM version v WHERE v.credential_id = delivery.credential_id AND v.number = delivery.version),
    zeroblob(32)
);

CREATE INDEX credential_minted ON credential (minted_from) WHERE minted_from IS NOT NULL;

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
