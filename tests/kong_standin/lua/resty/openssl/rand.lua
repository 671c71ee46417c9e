-- A stand-in for lua-resty-openssl's random bytes, over the libcrypto that nginx itself runs with.

local ffi = require("ffi")

ffi.cdef([[int RAND_bytes(unsigned char *buf, int num);]])
local crypto = ffi.load("crypto.so.3")

return {
  bytes = function(length)
    local buffer = ffi.new("unsigned char[?]", length)
    assert(crypto.RAND_bytes(buffer, length) == 1)
    return ffi.string(buffer, length)
  end,
}
