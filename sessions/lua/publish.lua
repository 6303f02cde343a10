-- publish: tell whoever follows a session what happened, beside the changes of its status.
-- KEYS store, session   ARGV {id, epoch?, detail}
-- Returns {id, changed, status, epoch}.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>.
local s, failure = live()
if failure then return failure end
record(s, s.status, ask.detail)
return about(s, true)
