-- session.lua: the hash of a session and the indexes that follow its status. Needs store.lua.
local HOLDING = { starting = true, ready = true, active = true, recovering = true }
local TERMINAL = { ended = true, failed = true, expired = true }

local function session_key(id) return key("session:" .. id) end
local function index(status) return key("session:" .. status) end

-- Read what the verbs need of a session; its status is nil when there is none.
local function load(id)
  local row = redis.call("HMGET", session_key(id), "status", "epoch", "revision", "createdAt",
    "admittedAt", "joinedAt", "jobId", "remember", "userId", "forgotten")
  return { id = id, key = session_key(id), status = row[1] or nil, epoch = tonumber(row[2]),
    revision = tonumber(row[3]) or 0, created = tonumber(row[4]), admitted = tonumber(row[5]),
    joined = row[6], job = row[7], remember = row[8],
    user = row[9] and redis.sha1hex(row[9]), forgotten = row[10] }
end

-- Where a session stands in the index of a status: the queue in order of arrival, live ones by
-- when they were asked for, those that are over by when that was.
local function score(s, status)
  if status == "queued" then return redis.call("HINCRBY", KEYS[1], "tickets", 1) end
  return HOLDING[status] and s.created or now
end

-- Write fields of a session, given as name, value, name, value …, and what happened to it; tell
-- whoever listens. The event is "status time epoch detail".
local function record(s, status, detail, fields)
  s.revision = s.revision + 1
  local event = status .. " " .. now .. " " .. s.epoch .. (detail and " " .. detail or "")
  redis.call("HSET", s.key, "revision", s.revision, "e:" .. s.revision, event, unpack(fields or {}))
  if s.revision > limits.eventsKept then
    redis.call("HDEL", s.key, "e:" .. s.revision - limits.eventsKept)
  end
  redis.call("XADD", key("events"), "MAXLEN", "~", limits.streamKept, "*",
    "session", s.id, "revision", s.revision, "status", status)
end

-- Put a session into a status, with fields as above. `place` is where, if not where it would be.
local function move(s, to, detail, fields, place)
  fields = fields or {}
  fields[#fields + 1], fields[#fields + 2] = "status", to
  if s.status ~= to then
    if s.status then redis.call("ZREM", index(s.status), s.id) end
    redis.call("ZADD", index(to), place or score(s, to), s.id)
  end
  s.status = to
  record(s, to, detail, fields)
end

-- What verbs about one session answer: the status and epoch now, and what else there is to say.
local function about(s, changed, more)
  local fields = more or {}
  fields.id, fields.changed, fields.status, fields.epoch = s.id, changed, s.status, s.epoch
  return answer(fields)
end
