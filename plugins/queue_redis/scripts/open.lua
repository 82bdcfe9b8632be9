-- What every turn begins with: the time, and ids for new rows.
-- KEYS: numbers (hash)    ARGV: how many ids
-- Answers {now, the last of the ids}.
-- Ids are above the clock, 100 a millisecond, as well as above the last one: a server that forgot its latest ones (a
-- failover, a loss of power) gives none again that a process may remember. They have fifteen digits each: sorted as
-- texts they are in order, and a Lua number holds them.
local now, n = belfry_now(), tonumber(ARGV[1])
if n == 0 then return {now, 0} end
local last = math.max(tonumber(redis.call('HGET', KEYS[1], 'id') or 0), now * 100, 1e14) + n
redis.call('HSET', KEYS[1], 'id', string.format('%.0f', last))
return {now, last}
