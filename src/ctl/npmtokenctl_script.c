
/*
 * The scripts of npmtoken_script, as npmtokenctl runs them.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_script.h"


/* the script in use, and its digest */
static ngx_str_t    *ctl_script_loaded;
static char         *ctl_script_name;


void
ctl_script(ctl_args_t *args, npmtoken_change_t *change,
    void (*write)(npmtoken_change_t *change))
{
    ngx_uint_t  i;

    change->argv = ctl_alloc(npmtoken_script_room(change)
                             * sizeof(ngx_str_t));
    write(change);

    ctl_script_begin(args, change->script);

    for (i = 0; i < change->argc; i++) {
        ctl_arg(args, change->argv[i].data, change->argv[i].len);
    }

    free(change->argv);
}


/* Loads a script; the server then runs it by its digest. */

void
ctl_script_begin(ctl_args_t *args, ngx_str_t *script)
{
    redisReply  *reply;

    if (ctl_script_name == NULL || script != ctl_script_loaded) {
        reply = ctl_do("SCRIPT LOAD %b", script->data, script->len);
        ctl_script_name = ctl_format("%s", reply->str);
        freeReplyObject(reply);
        ctl_script_loaded = script;
    }

    args->n = 0;
    ctl_arg_text(args, "EVALSHA");
    ctl_arg_text(args, ctl_script_name);
}


void
ctl_script_load(void)
{
    freeReplyObject(ctl_say("SCRIPT LOAD %b", ctl_script_loaded->data,
                            ctl_script_loaded->len));
}


const char *
ctl_change(npmtoken_change_t *change, void (*write)(npmtoken_change_t *change))
{
    ctl_args_t   args;
    const char  *status;

    ngx_memzero(&args, sizeof(ctl_args_t));

    ctl_script(&args, change, write);
    status = ctl_status(&args);

    free(args.data);
    free(args.len);

    return status;
}


const char *
ctl_status(ctl_args_t *args)
{
    return ctl_command(args)->str;
}
