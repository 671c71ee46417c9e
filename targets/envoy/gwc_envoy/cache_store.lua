-- Where answers are kept: one block of memory that all workers of the process share, of a size that never changes.
--
-- Records lie behind one another in a ring, so a new one overwrites the oldest; what is read while it is old is
-- written anew. Positions count from the beginning of the process and never come back: a record is whole as long as
-- its position is no further behind the ring's end than the ring is long. Nothing here follows a pointer that is
-- kept in the block: every access is an offset that has been checked against the block's own size.

local ffi = require("ffi")
local bit = require("bit")
local C = ffi.C

local RING, WAYS, SETS, FLIGHTS, ROUTES = @RING@, 4, 16384, 4096, 65536
local VARIABLE = "GWC_CACHE_MEMORY"
-- Seconds: between two looks of all who wait, so that a crowd costs no more than that; and for the body of an answer
-- after its head.
local TURN, GRACE = 0.0005, 2

ffi.cdef(string.format([[
typedef struct { double at; uint32_t tag; } gwc_way;
typedef struct { double ends; double awaited; uint32_t tag; uint32_t unused; } gwc_flight;
typedef struct { double born; uint32_t key; uint32_t head; uint32_t body; uint32_t unused; } gwc_record;
typedef struct {
  uint64_t mutex[16];
  double tip;
  double turn;
  uint32_t seed;
  uint32_t generations[%d];
  gwc_flight flights[%d];
  gwc_way ways[%d];
  char ring[%d];
} gwc_cache;
struct gwc_time { long seconds; long nanoseconds; };
void *mmap(void *, size_t, int, int, int, int64_t);
int setenv(const char *, const char *, int);
int getpid(void);
int clock_gettime(int, struct gwc_time *);
int pthread_mutex_init(void *, const void *);
int pthread_mutex_lock(void *);
int pthread_mutex_unlock(void *);
]], ROUTES, FLIGHTS, WAYS * SETS, RING))

local HEADER = ffi.sizeof("gwc_record")
local OSX = ffi.os == "OSX"
local MONOTONIC = OSX and 6 or 1
local READ_WRITE, PRIVATE_ANONYMOUS = 3, OSX and 0x1002 or 0x22

-- Envoy runs a script in its main thread first, before any worker is there: it makes the block and leaves word.
local function attach()
  local owner, address = (os.getenv(VARIABLE) or ""):match("^(%d+):(%d+)$")
  if tonumber(owner) == C.getpid() then return ffi.cast("gwc_cache *", ffi.cast("uintptr_t", tonumber(address))) end
  local block = C.mmap(nil, ffi.sizeof("gwc_cache"), READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
  if ffi.cast("intptr_t", block) == -1 then error("no memory for the cache") end
  local made = ffi.cast("gwc_cache *", block)
  C.pthread_mutex_init(made.mutex, nil)
  local where = tonumber(ffi.cast("uintptr_t", block))
  made.seed = (where / 4096 * 65599 + os.time() * 257 + C.getpid()) % 2 ^ 32  -- nobody outside knows where it lies
  C.setenv(VARIABLE, string.format("%d:%.0f", C.getpid(), where), 1)
  return made
end

local cache = attach()
local time = ffi.new("struct gwc_time")

local function now()
  C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function guarded(action, ...)
  C.pthread_mutex_lock(cache.mutex)
  local done, a, b, c = pcall(action, ...)
  C.pthread_mutex_unlock(cache.mutex)
  if not done then return nil end
  return a, b, c
end

local function hash(key)
  local value = bit.tobit(cache.seed)
  for i = 1, #key do
    value = bit.bxor(value, key:byte(i))
    value = bit.tobit(value + bit.lshift(value, 1) + bit.lshift(value, 4) + bit.lshift(value, 7)
      + bit.lshift(value, 8) + bit.lshift(value, 24))
  end
  return bit.band(bit.bxor(value, bit.rshift(value, 15)), 0x7fffffff)
end

local function whole(at)
  return at > 0 and at - 1 >= cache.tip - RING
end

-- The record of `key` at a position, or nil: it is another key's, or overwritten.
local function read(at, key)
  if not whole(at) then return nil end
  local offset = (at - 1) % RING
  local record = ffi.cast("gwc_record *", cache.ring + offset)
  local size = record.key + record.head + record.body
  if record.key ~= #key or offset + HEADER + size > RING then return nil end
  local text = cache.ring + offset + HEADER
  if ffi.string(text, #key) ~= key then return nil end
  return record, text + record.key
end

local function way_of(key, tag)
  local first = tag % SETS * WAYS
  for way = first, first + WAYS - 1 do
    local found = cache.ways[way]
    if found.tag == tag and read(found.at, key) then return way end
  end
end

local function oldest(tag)
  local best = tag % SETS * WAYS
  for way = best + 1, best + WAYS - 1 do
    if cache.ways[way].at < cache.ways[best].at then best = way end
  end
  return best
end

local function write(key, tag, head, body, born)
  local size = math.ceil((HEADER + #key + #head + #body) / 8) * 8
  if size > RING / 8 then return false end
  local offset = cache.tip % RING
  if offset + size > RING then
    cache.tip = cache.tip + RING - offset
    offset = 0
  end
  local way = way_of(key, tag) or oldest(tag)
  cache.ways[way].at, cache.ways[way].tag = cache.tip + 1, tag
  local record = ffi.cast("gwc_record *", cache.ring + offset)
  record.born, record.key, record.head, record.body = born, #key, #head, #body
  local text = cache.ring + offset + HEADER
  ffi.copy(text, key, #key)
  ffi.copy(text + #key, head, #head)
  ffi.copy(text + #key + #head, body, #body)
  cache.tip = cache.tip + size
  return true
end

local function find(key, tag)
  local way = way_of(key, tag)
  if not way then return nil end
  local at = cache.ways[way].at
  local record, text = read(at, key)
  local born = record.born
  local head, body = ffi.string(text, record.head), ffi.string(text + record.head, record.body)
  if cache.tip - at > RING * 0.75 then write(key, tag, head, body, born) end
  return born, head, body
end

-- One request asks the service, the others wait for it, but no longer than its word holds.
local function begin(tag, clock, patience)
  local flight = cache.flights[tag % FLIGHTS]
  if flight.ends <= clock then
    flight.ends, flight.awaited, flight.tag = clock + patience, clock + patience, tag
    return "lead", string.format("%d:%.9f", tag, flight.ends)
  end
  if flight.tag ~= tag or flight.awaited <= clock then return "alone" end
  cache.turn = math.max(cache.turn, clock) + TURN
  return "wait", nil, cache.turn - clock
end

-- Its client reads as slowly as it likes, and the end of the answer comes no sooner: that is not for others to wait for.
local function arrive(tag, clock)
  local flight = cache.flights[tag % FLIGHTS]
  if flight.tag == tag then flight.awaited = math.min(flight.awaited, clock + GRACE) end
end

local function finish(tag, clock, apart)
  local flight = cache.flights[tag % FLIGHTS]
  if flight.tag ~= tag or flight.awaited == 0 then return end
  flight.ends, flight.awaited = apart > 0 and clock + apart or 0, 0
end

local function release(name)
  local tag, ends = name:match("^(%d+):([%d.]+)$")
  local flight = cache.flights[tonumber(tag) % FLIGHTS]
  if string.format("%d:%.9f", flight.tag, flight.ends) == name then flight.ends = 0 end
end

return {
  now = now,
  -- When it was stored, its head and its body; nil when there is none.
  get = function(key) return guarded(find, key, hash(key)) end,
  put = function(key, head, body) return guarded(write, key, hash(key), head, body, now()) end,
  -- "lead": ask the service, and say `finish`; the second value names this flight. "wait": another one does; look again
  -- after so many seconds at the earliest, says the third. "alone": ask, and say nothing.
  begin = function(key, patience)
    local word, flight, turn = guarded(begin, hash(key), now(), patience)
    return word or "alone", flight, turn
  end,
  -- The head of the answer is there.
  arrive = function(key) guarded(arrive, hash(key), now()) end,
  -- A flight whose request is gone without a word.
  release = function(name) guarded(release, name) end,
  -- For `apart` seconds nobody waits for anybody: what came was not worth it.
  finish = function(key, apart) guarded(finish, hash(key), now(), apart) end,
  -- The number of a route's generation, which is a part of its keys; purging counts it up.
  generation = function(route) return cache.generations[route % ROUTES] end,
  purge = function(route)
    guarded(function() cache.generations[route % ROUTES] = cache.generations[route % ROUTES] + 1 end)
  end,
}
