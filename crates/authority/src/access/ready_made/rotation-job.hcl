# The job that rotates: writes the password and the token and reads neither. It sees version numbers and notes its own
# marker (metadata), and takes away versions that were revoked.

path "{mount}/data/{password}" {
  capabilities = ["create", "update"]
}

path "{mount}/metadata/{password}" {
  capabilities = ["create", "read", "update", "patch"]
}

path "{mount}/delete/{password}" {
  capabilities = ["update"]
}

path "{mount}/destroy/{password}" {
  capabilities = ["update"]
}

path "{mount}/data/{token}" {
  capabilities = ["create", "update"]
}

path "{mount}/metadata/{token}" {
  capabilities = ["create", "read", "update", "patch"]
}

path "{mount}/delete/{token}" {
  capabilities = ["update"]
}

path "{mount}/destroy/{token}" {
  capabilities = ["update"]
}

# So that the job also works for a token without the policy `default`.

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
