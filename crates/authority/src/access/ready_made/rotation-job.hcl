# The job that rotates: writes the password and the token and reads neither. It sees version numbers and its own marker
# (metadata), and retires old versions so that they can still be brought back.

path "{mount}/data/{password}" {
  capabilities = ["create", "update"]
}

path "{mount}/metadata/{password}" {
  capabilities = ["read", "update", "patch"]
}

path "{mount}/delete/{password}" {
  capabilities = ["update"]
}

path "{mount}/data/{token}" {
  capabilities = ["create", "update"]
}

path "{mount}/metadata/{token}" {
  capabilities = ["read", "update", "patch"]
}

path "{mount}/delete/{token}" {
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
