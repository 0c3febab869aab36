-- The journal grows for ever. What is asked of it at every step is found without reading it.

-- The last word about whether a version is switched on or off.
CREATE INDEX journal_switch ON journal (credential_id, version, id) WHERE step IN ('disable', 'enable');
