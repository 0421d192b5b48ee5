
/*
 * What several scripts share, in Lua: see npmtoken_script.c.
 */


#ifndef _NPMTOKEN_SCRIPT_PARTS_H_INCLUDED_
#define _NPMTOKEN_SCRIPT_PARTS_H_INCLUDED_


/*
 * Fails if the user lacks the right to a command.  Before Redis 7 a script
 * cannot ask for its rights; Redis itself checks in advance only the key names.
 */

#define NPMTOKEN_SCRIPT_NEED                                                  \
    "local function need(...)\n"                                              \
    "    if redis.acl_check_cmd and not redis.acl_check_cmd(...) then\n"      \
    "        error({ err = 'NOPERM the script needs ' .. (...) })\n"          \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


/*
 * Compares a hash with what was seen of it, as npmtoken_script_seen() writes
 * it.  The hash may have changed since the caller judged it.  If nothing was
 * seen, nothing has changed.
 */

#define NPMTOKEN_SCRIPT_CHANGED                                               \
    "local function changed(key, seen)\n"                                     \
    "    if not key or seen == '' then return false end\n"                    \
    "    local all, is, n, at = redis.call('hgetall', key), {}, 0, 2\n"       \
    "    for i = 1, #all, 2 do is[all[i]] = all[i + 1] end\n"                 \
    "    while at <= #seen do\n"                                              \
    "        local a, b, from = seen:match('^(%d+) (%d+) ()', at)\n"          \
    "        local value = from + tonumber(a)\n"                              \
    "        at, n = value + tonumber(b), n + 1\n"                            \
    "        if (is[seen:sub(from, value - 1)] or '')\n"                      \
    "           ~= seen:sub(value, at - 1)\n"                                 \
    "        then\n"                                                          \
    "            return true\n"                                               \
    "        end\n"                                                           \
    "    end\n"                                                               \
    "    return seen:sub(1, 1) == '=' and 2 * n ~= #all\n"                    \
    "end\n"                                                                   \
    "\n"


/*
 * now() returns the time of the Redis server in milliseconds, which is the one
 * clock that all nodes share.  ms() formats a number as Redis reads it.
 */

#define NPMTOKEN_SCRIPT_NOW                                                   \
    "local function now()\n"                                                  \
    "    local time = redis.call('time')\n"                                   \
    "    return time[1] * 1000 + math.floor(time[2] / 1000)\n"                \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function ms(n) return string.format('%.0f', n) end\n"              \
    "\n"


/*
 * Creates a token, with the keys and arguments of npmtoken_script_create.  What
 * comes before it sets two locals: "ttl" is that of the new key in
 * milliseconds, or nil; "spend" says that the fourth key is a hash to be
 * deleted, not the bearer's.
 */

#define NPMTOKEN_SCRIPT_CREATE                                                \
    "local token, set, user, bearer = unpack(KEYS)\n"                         \
    "local key, prefix = ARGV[3], ARGV[4]\n"                                  \
    "local limit, now = tonumber(ARGV[5]), tonumber(ARGV[6])\n"               \
    "local name, created = ARGV[7], ARGV[8]\n"                                \
    "local record = { unpack(ARGV, 9) }\n"                                    \
    "\n"                                                                      \
    "if redis.call('exists', token) == 1 then\n"                              \
    "    return redis.status_reply('EXISTS')\n"                               \
    "end\n"                                                                   \
    "\n"                                                                      \
    "if changed(bearer, ARGV[2]) then\n"                                      \
    "    return redis.status_reply('DENIED')\n"                               \
    "end\n"                                                                   \
    "\n"                                                                      \
    /* an account has one spelling, and its tokens have the same */           \
    "local own = redis.call('hget', user, 'name') or name:lower()\n"          \
    "local there = redis.call('exists', user) == 1\n"                         \
    "\n"                                                                      \
    "local differs = there and name ~= '' and own ~= name\n"                  \
    "if changed(user, ARGV[1]) or differs then\n"                             \
    "    return redis.status_reply('CHANGED')\n"                              \
    "end\n"                                                                   \
    "\n"                                                                      \
    /*                                                                        \
     * the record expires no later than the bearer's key, unless that is a    \
     * session, which ends when nobody uses it                                \
     */                                                                       \
    "local left = -1\n"                                                       \
    "if bearer and not spend then\n"                                          \
    "    local session = redis.call('hget', bearer, 'session') or 'login'\n"  \
    "    if session == 'login' then left = redis.call('pttl', bearer) end\n"  \
    "end\n"                                                                   \
    "if left >= 0 then\n"                                                     \
    "    local last, at = now + math.floor(left / 1000), #record + 1\n"       \
    "    for i = 1, #record, 2 do\n"                                          \
    "        if record[i] == 'expires_at' then at = i end\n"                  \
    "    end\n"                                                               \
    "    if (tonumber(record[at + 1]) or last) >= last then\n"                \
    "        record[at] = 'expires_at'\n"                                     \
    "        record[at + 1] = string.format('%.0f', last)\n"                  \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"                                                                      \
    /* a record that is no hash is not stale: it is not ours to remove */     \
    "local function stale(member)\n"                                          \
    "    local t = prefix .. member\n"                                        \
    "    if redis.call('exists', t) == 0 then return true end\n"              \
    "    local at = redis.pcall('hget', t, 'expires_at')\n"                   \
    "    return type(at) == 'string' and at:match('^%d+$')\n"                 \
    "           and tonumber(at) + 86400 <= now\n"                            \
    "end\n"                                                                   \
    "\n"                                                                      \
    /* the members are read only if the set is full */                        \
    "local gone = {}\n"                                                       \
    "local n = redis.call('scard', set)\n"                                    \
    "\n"                                                                      \
    "if limit > 0 and n >= limit then\n"                                      \
    "    for _, member in ipairs(redis.call('smembers', set)) do\n"           \
    "        if stale(member) then gone[#gone + 1] = member end\n"            \
    "    end\n"                                                               \
    "    if n - #gone >= limit then\n"                                        \
    "        return redis.status_reply('LIMIT')\n"                            \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"                                                                      \
    "need('hset', token, 'user', '')\n"                                       \
    "need('sadd', set, key)\n"                                                \
    "if name ~= '' and not there then need('hset', user, 'name', '') end\n"   \
    "if ttl then need('pexpire', token, 1) end\n"                             \
    "if spend then need('del', bearer) end\n"                                 \
    "redis.call('hset', token, unpack(record))\n"                             \
    "redis.call('sadd', set, key)\n"                                          \
    "if ttl then redis.call('pexpire', token, ttl) end\n"                     \
    "if spend then redis.call('del', bearer) end\n"                           \
    "\n"                                                                      \
    /* a name that got a token stays taken, even after the token is gone */   \
    "if name ~= '' and not there then\n"                                      \
    "    redis.call('hset', user, 'created', created)\n"                      \
    "    if name ~= name:lower() then\n"                                      \
    "        redis.call('hset', user, 'name', name)\n"                        \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"                                                                      \
    /* the token exists by now, so a refused SREM is no failure */            \
    "for _, member in ipairs(gone) do\n"                                      \
    "    redis.pcall('srem', set, member)\n"                                  \
    "end\n"                                                                   \
    "\n"                                                                      \
    "return redis.status_reply('OK')\n"


#endif /* _NPMTOKEN_SCRIPT_PARTS_H_INCLUDED_ */
