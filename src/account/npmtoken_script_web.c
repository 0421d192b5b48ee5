
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
