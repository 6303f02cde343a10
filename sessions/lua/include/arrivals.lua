-- arrivals.lua: how many sessions got a slot in each second of the last hour. Needs store.lua.
-- A ring in one text: ten digits, the last second that was written; then three digits for each
-- second, at its place modulo the length. More than 999 in a second count as 999.
local HEADER, WIDTH = 10, 3

-- Write a run of seconds as nothing; it may go over the end of the ring.
local function clear_seconds(name, from, to)
  while from <= to do
    local place = from % limits.secondsKept
    local run = math.min(to - from + 1, limits.secondsKept - place)
    redis.call("SETRANGE", name, HEADER + WIDTH * place, string.rep("000", run))
    from = from + run
  end
end

-- Count one more in this second.
local function count_arrival()
  local name, second = key("arrivals"), math.floor(now / 1000)
  local last = tonumber(redis.call("GETRANGE", name, 0, HEADER - 1))
  if not last or math.abs(second - last) >= limits.secondsKept then
    last = second
    redis.call("SET", name, string.format("%010d", second) .. string.rep("000", limits.secondsKept))
  end
  -- A clock that was set back goes on with what is there.
  clear_seconds(name, last + 1, second)
  local at = HEADER + WIDTH * (second % limits.secondsKept)
  local counted = tonumber(redis.call("GETRANGE", name, at, at + WIDTH - 1)) + 1
  redis.call("SETRANGE", name, at, string.format("%03d", math.min(counted, 999)))
  redis.call("SETRANGE", name, 0, string.format("%010d", math.max(last, second)))
  redis.call("EXPIRE", name, limits.secondsKept)
end
