-- notice: write down what others were told, and what they are still to be told.
-- KEYS store   ARGV {set?: [name, text, name, text …], drop?: [name …]}
-- Returns {}.
-- Errors: none; under a leader's term, as every verb, DEPOSED <term>.
if ask.drop and #ask.drop > 0 then redis.call("HDEL", key("notices"), unpack(ask.drop)) end
if ask.set and #ask.set > 0 then redis.call("HSET", key("notices"), unpack(ask.set)) end
return answer({})
