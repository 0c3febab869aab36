INSERT INTO data_key (id, wrapped) VALUES (1, x'0102');
INSERT INTO kept_secret (store, path, latest, pending, current, previous) VALUES ('local', 'apic/acme/shop', 2, 2, 1, NULL);
INSERT INTO kept_version (store, path, number, attempt_key, credential, sealed, fingerprint, created_at) VALUES
    ('local', 'apic/acme/shop', 1, 'a', 'apic/acme/shop/key', x'11', zeroblob(32), 1700000000000000),
    ('local', 'apic/acme/shop', 2, 'b', 'apic/acme/shop/key', x'22', zeroblob(32), 1700000001000000);
INSERT INTO credential (id, credential, issuer, parent, name, title, locator, parent_enabled, stray, first_seen_at,
    attempts, parked, kind, protected) VALUES (1, 'apic/acme/shop/web', 'apic', 'apic/acme/shop', 'web', 'Web', 'a/b', 1, 0, 0, 0, 0, '', 0);
INSERT INTO version (credential_id, number, handle, name, title, origin, created_at, presence, verified_at, fingerprint,
    sealed) VALUES (1, 1, 'id-1', 'web', 'Web', 'issued', 0, 'listed', 0,
    x'0707070707070707070707070707070707070707070707070707070707070707', x'22');
INSERT INTO delivery (credential_id, rotation_id, version, store, path, store_version, written_at, promoted_at,
    confirmed_at, first_confirmed_at, fingerprint) VALUES (1, 'r1', 1, 'local', 'apic/acme/shop', '1', 0, 0, 0, 0,
    x'0707070707070707070707070707070707070707070707070707070707070707');
