-- What is asked at every step and every reading is found without reading deliveries and a journal that grows for ever.

-- When readers of any destination last came to get a version through us.
ALTER TABLE version ADD COLUMN delivered_at INTEGER;
UPDATE version SET delivered_at = (SELECT max(d.promoted_at) FROM delivery d
    WHERE d.credential_id = version.credential_id AND d.version = version.number);

-- On what it rests that a version is dead: 'refused', 'record', 'expired', or a person's 'word'.
ALTER TABLE version ADD COLUMN dead_by TEXT;

-- The last word about whether a version is switched on or off.
CREATE INDEX journal_switch ON journal (credential_id, version, id) WHERE step IN ('disable', 'enable');

-- The credential of a rotation, however long ago it was: whatever bears a marker was made by one of these steps.
CREATE INDEX journal_rotation ON journal (rotation_id, id) WHERE step IN ('issue', 'ask_person');

-- Every attempt at a message to a recipient that may have arrived: limits count these, whatever was answered.
CREATE TABLE notice_attempt (
    message TEXT NOT NULL,
    number INTEGER NOT NULL,
    notifier TEXT NOT NULL,
    recipient TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;

-- The step that failed last: what only renews its proofs does not begin its attempts anew.
ALTER TABLE credential ADD COLUMN failed_step TEXT;
