# What Keyrota needs to deliver below secret/app: it writes, and cannot read a value.
path "secret/data/app/*"      { capabilities = ["create", "update"] }
# Version numbers, and notes of what was delivered.
path "secret/metadata/app/*"  { capabilities = ["create", "read", "patch"] }
# The content of versions that are revoked.
path "secret/destroy/app/*"   { capabilities = ["update"] }
# Only where the policy `default` is left out.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
