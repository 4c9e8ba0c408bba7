# What Signet's token may do in Vault or OpenBao, with `custody.mount_prefix = "pki/signet"`. Write another prefix into every path.
# bao policy write signet deploy/vault-policy.hcl

# One mount of the PKI engine for each tenant.
path "sys/mounts/pki/signet/+" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/config/crl" {
  capabilities = ["create", "update"]
}

# A CA whose key is made inside; its certificate, its name and its addresses; its end.
path "pki/signet/+/intermediate/generate/internal" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/intermediate/generate/existing" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/intermediate/set-signed" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/issuer/+" {
  capabilities = ["create", "read", "update", "delete"]
}
path "pki/signet/+/key/+" {
  capabilities = ["delete"]
}
path "pki/signet/+/roles/+" {
  capabilities = ["create", "update"]
}

# Certificates, OCSP responders, revocation lists, revocations.
path "pki/signet/+/issuer/+/sign/+" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/issuer/+/sign-verbatim" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/issuer/+/sign-revocation-list" {
  capabilities = ["create", "update"]
}
path "pki/signet/+/revoke" {
  capabilities = ["create", "update"]
}

# What was signed and whose answer was lost.
path "pki/signet/+/certs" {
  capabilities = ["list"]
}
path "pki/signet/+/cert/+" {
  capabilities = ["read"]
}
