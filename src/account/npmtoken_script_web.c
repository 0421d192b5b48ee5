
/*
 * The scripts of the web page, in Lua: see npmtoken_script.c for what holds for
 * all scripts.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_script_parts.h"
#include "npmtoken_script_web.h"


ngx_str_t  npmtoken_script_session = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED
    "local ttl, spend = ARGV[1]\n"
    "local ARGV = { unpack(ARGV, 2) }\n"
    NPMTOKEN_SCRIPT_CREATE
);


ngx_str_t  npmtoken_script_take = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED
    "local ttl, spend = nil, true\n"
    NPMTOKEN_SCRIPT_CREATE
);


ngx_str_t  npmtoken_script_renew = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED

    "local old, new, set = unpack(KEYS)\n"
    "local seen, old_key, new_key, ttl = unpack(ARGV)\n"
    "local fields = redis.call('hgetall', old)\n"
    "\n"
    "if #fields == 0 or changed(old, seen) then\n"
    "    return redis.status_reply('DENIED')\n"
    "end\n"
    "\n"
    "if redis.call('exists', new) == 1 then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"
    "redis.call('scard', set)\n"
    "need('hset', new, 'user', '')\n"
    "need('pexpire', new, 1)\n"
    "need('sadd', set, new_key)\n"
    "need('srem', set, old_key)\n"
    "need('del', old)\n"
    "\n"
    "redis.call('hset', new, unpack(fields))\n"
    "redis.call('hset', new, unpack(ARGV, 5))\n"
    "redis.call('pexpire', new, ttl)\n"
    "redis.call('sadd', set, new_key)\n"
    "redis.call('del', old)\n"
    "redis.call('srem', set, old_key)\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_touch = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local session, revoked = unpack(redis.call('hmget', KEYS[1], 'session',\n"
    "    'revoked_at'))\n"
    "\n"
    "if not session or session == 'login' or revoked then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"
    "need('pexpire', KEYS[1], 1)\n"
    "redis.call('pexpire', KEYS[1], ARGV[1])\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_drop = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local token, set = unpack(KEYS)\n"
    "local session = redis.call('hget', token, 'session')\n"
    "if set then redis.call('scard', set) end\n"
    "\n"
    "if not session or session == 'login' then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"
    "need('del', token)\n"
    "if set then need('srem', set, ARGV[1]) end\n"
    "\n"
    "redis.call('del', token)\n"
    "if set then redis.call('srem', set, ARGV[1]) end\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_ask = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_NOW

    "local request, all = unpack(KEYS)\n"
    "local most, ttl = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local at = now()\n"
    "\n"
    "if redis.call('exists', request) == 1 then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"
    "if redis.call('zcount', all, ms(at), '+inf') >= most then\n"
    "    return redis.status_reply('FULL')\n"
    "end\n"
    "\n"
    "need('hset', request, 'state', '')\n"
    "need('pexpire', request, 1)\n"
    "need('zadd', all, 0, request)\n"
    "need('zremrangebyscore', all, 0, 0)\n"
    "need('pexpire', all, 1)\n"
    "\n"
    "redis.call('hset', request, unpack(ARGV, 3))\n"
    "redis.call('pexpire', request, ttl)\n"
    "redis.call('zremrangebyscore', all, '-inf', '(' .. ms(at))\n"
    "redis.call('zadd', all, ms(at + ttl), request)\n"
    "redis.call('pexpire', all, ttl)\n"
    "return redis.status_reply('OK')\n"
);


/* a full Redis cannot tell when it was asked, but it can tell the answer */

ngx_str_t  npmtoken_script_poll = ngx_string(
    NPMTOKEN_SCRIPT_NOW

    "local request, least = KEYS[1], tonumber(ARGV[2])\n"
    "local state, done, polled = unpack(redis.call('hmget', request, 'state',\n"
    "    'done', 'polled'))\n"
    "\n"
    "if not state or done ~= ARGV[1] then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"
    "if state == 'approved' then return redis.call('hgetall', request) end\n"
    "if state == 'denied' then return redis.status_reply('DENIED') end\n"
    "if state ~= 'pending' then return redis.status_reply('NONE') end\n"
    "\n"
    "local at = now()\n"
    "if at < tonumber(polled or 0) + least then\n"
    "    return redis.status_reply('FAST')\n"
    "end\n"
    "\n"
    "redis.pcall('hset', request, 'polled', ms(at))\n"
    "return redis.status_reply('PENDING')\n"
);


ngx_str_t  npmtoken_script_answer = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED

    "local request, user, session = unpack(KEYS)\n"
    "\n"
    "if redis.call('hget', request, 'state') ~= 'pending' then\n"
    "    return redis.status_reply('GONE')\n"
    "end\n"
    "\n"
    "if changed(session, ARGV[2]) then\n"
    "    return redis.status_reply('DENIED')\n"
    "end\n"
    "\n"
    "if changed(user, ARGV[1]) then\n"
    "    return redis.status_reply('CHANGED')\n"
    "end\n"
    "\n"
    "need('hset', request, 'state', '')\n"
    "redis.call('hset', request, unpack(ARGV, 3))\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_ticket = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED

    "local request, seen, digest, ttl = KEYS[1], unpack(ARGV)\n"
    "\n"
    "if changed(request, seen) then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"
    "need('hset', request, 'state', '')\n"
    "need('pexpire', request, 1)\n"
    "redis.call('hset', request, 'state', 'ticket', 'ticket', digest)\n"
    "redis.call('pexpire', request, ttl)\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_redeem = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED

    "local request, account = unpack(KEYS)\n"
    "local digest, name, key, what, mark, seen = unpack(ARGV)\n"
    "local state, ticket, user, by, is, marked = unpack(redis.call('hmget',\n"
    "    request, 'state', 'ticket', 'user', 'by', 'request', 'mark'))\n"
    "\n"
    "if state ~= 'ticket' or ticket ~= digest or (user or ''):lower() ~= name\n"
    "   or by ~= key or is ~= what or marked ~= mark\n"
    "   or changed(account, seen)\n"
    "then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"
    "need('del', request)\n"
    "redis.call('del', request)\n"
    "return redis.status_reply('OK')\n"
);
