"""What Redis does at once: scripts, which it runs from the beginning to the end before anything else.

Keys and channels of Redis, each after the prefix:

``:clock``
    The id of the last message of any name, a space and the epoch. Ids are made here, and not by each stream,
    so that they grow over all names: one id says how far somebody has read in any number of them. The epoch
    is another one when all has been deleted: ids may be smaller then than they were.
``:stream:NAME``
    The messages that are kept. ``d`` is the data; ``t`` tells a message from the same one sent again because
    the connection broke before the answer came.
``:set:KEY``
    A sorted set: members, each with the time until which it is in.
``:NAME``
    The channel. A message is the id, the epoch and the data, with spaces in between; nothing at all says that
    a set has changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from redis.exceptions import NoScriptError


@dataclass(frozen=True)
class Script:
    """A script that Redis is sent in full only when it does not know it."""

    text: str

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, keys: list[str], arguments: list[Any]) -> Any:
        try:
            return await client.execute_command("EVALSHA", self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, len(keys), *keys, *arguments)


_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: KEYS: the clock, then the stream of each message. ARGV: how many are kept, for how many milliseconds,
#: whether it is sent again; then for each message channel, token, data. Returns the ids. The token of a
#: message is the epoch that it begins.
PUBLISH = Script(
    _NOW
    + """
local function parts(id)
    local milliseconds, number = string.match(id, '(%d+)-(%d+)')
    return tonumber(milliseconds), tonumber(number)
end

local function find(stream, token)
    for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', ARGV[1])) do
        if entry[2][4] == token then return entry[1] end
    end
end

local clock, epoch = string.match(redis.call('GET', KEYS[1]) or '', '(%S+) (%S+)')
if not clock then clock, epoch = '0-0', ARGV[5] end
local last, number = parts(clock)
if now > last then last, number = now, -1 end
local ids = {}
for i = 2, #KEYS do
    local channel, token, data = ARGV[i * 3 - 2], ARGV[i * 3 - 1], ARGV[i * 3]
    local id = ARGV[3] == '1' and find(KEYS[i], token)
    if not id then
        number = number + 1
        id = string.format('%.0f-%.0f', last, number)
        local add = {'XADD', KEYS[i], 'MAXLEN', ARGV[1], id, 'd', data, 't', token}
        if redis.pcall(unpack(add)).err then
            -- The clock has been evicted or deleted, and the time has gone back.
            local info = redis.call('XINFO', 'STREAM', KEYS[i])
            for j = 1, #info, 2 do
                if info[j] == 'last-generated-id' then last, number = parts(info[j + 1]) end
            end
            number = number + 1
            id = string.format('%.0f-%.0f', last, number)
            add[5] = id
            redis.call(unpack(add))
        end
        redis.call('PEXPIRE', KEYS[i], ARGV[2])
        redis.call('SET', KEYS[1], id .. ' ' .. epoch, 'PX', ARGV[2])
        redis.call('PUBLISH', channel, id .. ' ' .. epoch .. ' ' .. data)
    end
    ids[i - 1] = id
end
return ids
"""
)

#: KEYS: the clock. ARGV: for how many milliseconds it is kept, and an epoch that begins if there is none.
#: Returns the id of the last message, or one that is less than all to come, and the epoch.
CLOCK = Script(
    _NOW
    + """
redis.call('SET', KEYS[1], string.format('%.0f-0 ', now - 1) .. ARGV[2], 'NX', 'PX', ARGV[1])
return redis.call('GET', KEYS[1])
"""
)

#: KEYS: streams. ARGV: a number of messages; then for each stream the id after which to begin. Returns the
#: time, and for each stream: how many messages are kept, how many of them (0 or 1) up to that id, and the
#: messages.
READ = Script(
    _NOW
    + """
local found = {string.format('%.0f', now)}
for i, stream in ipairs(KEYS) do
    found[i + 1] = {
        redis.call('XLEN', stream),
        #redis.call('XRANGE', stream, '-', ARGV[i + 1], 'COUNT', 1),
        redis.call('XRANGE', stream, '(' .. ARGV[i + 1], '+', 'COUNT', ARGV[1]),
    }
end
return found
"""
)

_CHANGED = """
if changed > 0 then redis.call('PUBLISH', ARGV[1], '') end
"""

_FORGET = """
local changed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
"""

#: KEYS: a set. ARGV: its channel, milliseconds, members.
ADD = Script(
    _NOW
    + _FORGET
    + """
for i = 3, #ARGV do
    local until_ = math.max(now + ARGV[2], tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or 0))
    changed = changed + redis.call('ZADD', KEYS[1], until_, ARGV[i])
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""
    + _CHANGED
)

#: KEYS: a set. ARGV: its channel, members.
DISCARD = Script(
    """
local changed = 0
for i = 2, #ARGV do changed = changed + redis.call('ZREM', KEYS[1], ARGV[i]) end
"""
    + _CHANGED
)

#: KEYS: a set. ARGV: its channel. Returns the members.
MEMBERS = Script(_NOW + _FORGET + _CHANGED + "return redis.call('ZRANGE', KEYS[1], 0, -1)")
