INSERT INTO data_key (id, wrapped) VALUES (1, x'0102');
INSERT INTO kept_secret (store, path, latest, pending, current, previous) VALUES ('local', 'apic/acme/shop', 2, 2, 1, NULL);
INSERT INTO kept_version (store, path, number, attempt_key, credential, sealed, fingerprint, created_at) VALUES
    ('local', 'apic/acme/shop', 1, 'a', 'apic/acme/shop/key', x'11', zeroblob(32), 1700000000000000),
    ('local', 'apic/acme/shop', 2, 'b', 'apic/acme/shop/key', x'22', zeroblob(32), 1700000001000000);
