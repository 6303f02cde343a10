-- rate.lua: how many sessions may begin in a minute. Needs session.lua.
-- The generic cell rate algorithm (ITU-T I.371): for each who is limited one time, when all starts
-- are paid back.

-- Who pays for a start, and how many each may begin in a minute. With ask.isUnverified anybody may
-- have named the user, whose limit would be another's; without ask.caller, somebody asks who has no
-- limit.
local function payers()
  local found = {}
  if ask.user and not ask.isUnverified then
    found[1] = { key("rate:" .. ask.user), limits.userStartsPerMinute }
  end
  if ask.caller then
    found[#found + 1] = { key("rate:caller:" .. ask.caller), limits.callerStartsPerMinute }
    found[#found + 1] = { key("rate:all"), limits.allStartsPerMinute }
  end
  return found
end

-- Return how many ms to wait before one more start, or nil, and what each would owe: {key, time}.
local function must_wait()
  local wait, bills = 0, {}
  for _, payer in ipairs(payers()) do
    local name, limit = payer[1], payer[2]
    if limit > 0 then
      local paid_at = math.max(tonumber(redis.call("GET", name) or 0), now) + 60000 / limit
      wait = math.max(wait, paid_at - now - 60000)
      bills[#bills + 1] = { name, paid_at }
    end
  end
  if wait > 0 then return math.ceil(wait), nil end
  return nil, bills
end

local function pay(bills)
  for _, bill in ipairs(bills) do
    redis.call("SET", bill[1], bill[2], "PX", math.ceil(bill[2] - now))
  end
end
