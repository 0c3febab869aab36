# The organisation's admin: the only one who reads the service account's password. Mends by hand what is broken;
# deleting and destroying are not for daily work.

path "{mount}/data/{password}" {
  capabilities = ["create", "read", "update"]
}

path "{mount}/metadata/{password}" {
  capabilities = ["read", "list"]
}

path "{mount}/data/{token}" {
  capabilities = ["create", "read", "update"]
}

path "{mount}/metadata/{token}" {
  capabilities = ["read", "list"]
}
