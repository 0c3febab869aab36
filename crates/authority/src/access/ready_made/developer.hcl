# Developers: read the access token, and nothing else. An exact path beats every broader pattern, so whatever the other
# policies of the same token grant by `*`, the token is not changed with this one and the password is not read.

path "{mount}/data/{token}" {
  capabilities = ["read"]
}

path "{mount}/subkeys/{token}" {
  capabilities = ["read"]
}

path "{mount}/metadata/{token}" {
  capabilities = ["read"]
}

path "{mount}/delete/{token}" {
  capabilities = []
}

path "{mount}/undelete/{token}" {
  capabilities = []
}

path "{mount}/destroy/{token}" {
  capabilities = []
}

path "{mount}/data/{password}" {
  capabilities = []
}

path "{mount}/subkeys/{password}" {
  capabilities = []
}

path "{mount}/metadata/{password}" {
  capabilities = []
}

path "{mount}/delete/{password}" {
  capabilities = []
}

path "{mount}/undelete/{password}" {
  capabilities = []
}

path "{mount}/destroy/{password}" {
  capabilities = []
}
