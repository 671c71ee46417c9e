-- A stand-in for lua-resty-openssl's public keys, over the libcrypto that nginx itself runs with. The configuration's
-- generator has turned each JSON Web Key into DER beforehand.

local ffi = require("ffi")

ffi.cdef([[
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
EVP_PKEY *d2i_PUBKEY(EVP_PKEY **a, const unsigned char **pp, long length);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const EVP_MD *EVP_get_digestbyname(const char *name);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *tbs, size_t tbslen);
]])
local crypto = ffi.load("crypto.so.3")

local M = {}
M.__index = M

-- One half of a raw signature as a DER integer.
local function integer(bytes)
  local trimmed = string.gsub(bytes, "^%z+", "")
  if trimmed == "" or string.byte(trimmed) >= 128 then
    trimmed = "\0" .. trimmed
  end
  return "\2" .. string.char(#trimmed) .. trimmed
end

local function der(raw)
  local half = #raw / 2
  local body = integer(string.sub(raw, 1, half)) .. integer(string.sub(raw, half + 1))
  return "\48" .. (#body > 127 and "\129" or "") .. string.char(#body) .. body
end

function M.new(jwk)
  local text = require("standin").public_key(jwk)
  if not text then
    return nil, "not a public key"
  end
  local pointer = ffi.new("const unsigned char *[1]", ffi.cast("const unsigned char *", text))
  local key = crypto.d2i_PUBKEY(nil, pointer, #text)
  if key == nil then
    return nil, "not a public key"
  end
  return setmetatable({ key = key }, M)
end

function M:verify(signature, data, digest, _, options)
  if options and options.ecdsa_use_raw then
    signature = der(signature)
  end
  local ctx = crypto.EVP_MD_CTX_new()
  local ready = crypto.EVP_DigestVerifyInit(ctx, nil, crypto.EVP_get_digestbyname(digest), nil, self.key) == 1
  local good = ready and crypto.EVP_DigestVerify(ctx, signature, #signature, data, #data) == 1
  crypto.EVP_MD_CTX_free(ctx)
  return good
end

return M
