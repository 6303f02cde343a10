-- claims.lua: how long agents take to come. Needs session.lua.

-- Remember how long one took from being sent to its claim. Every few claims it is worked out when
-- one that is sent has to be looked for: after three times what 99 of 100 took of late.
local function learn_claim(s, number)
  local sent = tonumber(redis.call("HGET", s.key, "dispatchedAt"))
  if not sent then return end
  redis.call("LPUSH", key("claims"), math.max(0, now - sent))
  redis.call("LTRIM", key("claims"), 0, limits.claimsKept - 1)
  if number % limits.claimsPerLook ~= 0 then return end
  local took = redis.call("LRANGE", key("claims"), 0, -1)
  for place, text in ipairs(took) do took[place] = tonumber(text) end
  table.sort(took)
  local usual = 3 * took[math.ceil(#took * 0.99)]
  redis.call("HSET", KEYS[1], "claimMs", math.max(limits.soonestClaimMs, usual))
end

-- How long to wait for an agent that is sent now, before LiveKit is asked about it.
local function claim_ms()
  return math.min(limits.claimMs, tonumber(meta[7]) or limits.soonestClaimMs)
end
