
/*
 * Declares what the files of the token API share: the configuration of a
 * location and the context of a request that is being answered.
 *
 * The answer is made in steps.  Each step waits for something: the body, Redis,
 * a thread, the registry.  A step is a function of the context.  It ends by
 * starting the next step or by answering.  What a step waits for is detached
 * from the request: it may outlive the request, and then calls nobody.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>
#include "ngx_http_npmtoken_request.h"
#include "ngx_http_npmtoken_command.h"
#include "ngx_http_npmtoken_hash.h"
#include "ngx_http_npmtoken_walk.h"
#include "npmtoken_account.h"
#include "npmtoken_password.h"
#include "npmtoken_otp.h"
#include "npmtoken_script.h"
#include "npmtoken_token.h"


typedef struct ngx_http_npmtoken_api_ctx_s       ngx_http_npmtoken_api_ctx_t;
typedef struct ngx_http_npmtoken_api_attempt_s
    ngx_http_npmtoken_api_attempt_t;


/* npmtoken_api_login */

#define NGX_HTTP_NPMTOKEN_API_ACCOUNTS  0
#define NGX_HTTP_NPMTOKEN_API_PROXY     1


typedef struct {
    ngx_http_npmtoken_store_t         *store;      /* NULL: off */
    ngx_http_npmtoken_commands_t      *commands;   /* to the store */
    ngx_http_npmtoken_walk_t          *walk;       /* of the store */
    ngx_uint_t                         login;
    ngx_uint_t                         signup;
    ngx_uint_t                         unstated;   /* 1: a granular token that
                                                      states no permission is
                                                      read-only */
    ngx_uint_t                         replicas;
    ngx_msec_t                         replicas_timeout;
    ngx_uint_t                         account_attempts;  /* 0: no limit */
    ngx_uint_t                         address_attempts;  /* the same */
    time_t                             attempts_time;
    ngx_array_t                       *reserved;   /* of ngx_str_t; NULL:
                                                      none */
    ngx_uint_t                         reuse;      /* 1: a write may use a code
                                                      again */
    time_t                             session;    /* seconds that a login is
                                                      good; 0: for ever */
    time_t                             lifetime;   /* of a token that states
                                                      none; 0: for ever */
    time_t                             lifetime_max;  /* 0: no limit */
    ngx_uint_t                         max_tokens; /* per account */
    ngx_uint_t                         max_cidrs;  /* per token */
    size_t                             max_body;
    ngx_str_t                          issuer;     /* shown by
                                                      authenticators */
    ngx_thread_pool_t                 *pool;
    unsigned                           unusable:1; /* the registry, for
                                                      logins; was said */

    /* the web page */
    ngx_uint_t                         page;       /* 1: it is on */
    ngx_http_complex_value_t          *person;     /* who it is, as nginx knows;
                                                      NULL: it does not */
    ngx_uint_t                         reauth;     /* what that person is asked
                                                      for again */
    ngx_uint_t                         web_otp;    /* 1: a one-time password may
                                                      be given there */
    ngx_str_t                          url;        /* of the registry, with
                                                      npmtoken_base; empty: as
                                                      the client says it */
} ngx_http_npmtoken_api_conf_t;


/* npmtoken_api_reauth */

#define NGX_HTTP_NPMTOKEN_API_REAUTH_PASSWORD  0
#define NGX_HTTP_NPMTOKEN_API_REAUTH_CODE      1
#define NGX_HTTP_NPMTOKEN_API_REAUTH_OFF       2


/* the calls that code outside the table of _route tells apart */

typedef enum {
    NGX_HTTP_NPMTOKEN_API_OTHER = 0,   /* no call: goes on to the registry */
    NGX_HTTP_NPMTOKEN_API_WEB_LOGIN,
    NGX_HTTP_NPMTOKEN_API_LOGIN,
    NGX_HTTP_NPMTOKEN_API_LOGOUT,
    NGX_HTTP_NPMTOKEN_API_PROFILE_SET,
    NGX_HTTP_NPMTOKEN_API_CALL         /* any other call */
} ngx_http_npmtoken_api_call_e;


typedef void (*ngx_http_npmtoken_api_step_pt)(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * A "reply" of NULL means that Redis gave no answer: the command may or may not
 * have been carried out.  The reply is valid only during the call.
 */
typedef void (*ngx_http_npmtoken_api_reply_pt)(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);

typedef void (*ngx_http_npmtoken_api_result_pt)(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);


/* what a request waits for, and the step that follows: see _wait */

typedef struct {
    ngx_http_npmtoken_command_waiter_t command;
    ngx_http_npmtoken_api_reply_pt     replied;
    ngx_http_npmtoken_walk_waiter_t    walk;
    ngx_http_npmtoken_hash_waiter_t    hash;
    ngx_str_t                         *made;       /* receives the hash */
    ngx_http_npmtoken_api_result_pt    result;
} ngx_http_npmtoken_api_wait_t;


/* the rights and limits of a token */

typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          description;
    ngx_array_t                        cidrs;      /* of ngx_str_t */
    ngx_array_t                        packages;   /* the same */
    ngx_array_t                        scopes;     /* the same */
    int64_t                            expires_at; /* or NPMTOKEN_NEVER */
    unsigned                           readonly:1;
    unsigned                           bypass_2fa:1;
    unsigned                           all:1;      /* all packages */
    ngx_str_t                          session;    /* as in a record; empty:
                                                      no login has made it */
    ngx_msec_t                         idle;       /* of a session: how long it
                                                      lives unused */
    unsigned                           granular:1; /* in the form of later
                                                      npm */
    unsigned                           stated:1;   /* the permission is
                                                      stated */
} ngx_http_npmtoken_api_grant_t;


struct ngx_http_npmtoken_api_ctx_s {
    ngx_http_request_t                *request;
    ngx_http_npmtoken_api_conf_t      *conf;
    ngx_http_npmtoken_ctx_t           *judged;     /* by the front module */
    ngx_http_npmtoken_api_call_e       call;
    ngx_str_t                          subject;    /* name, id or token from
                                                      the path, decoded */
    ngx_str_t                          user;       /* the account; in its own
                                                      spelling once loaded */
    json_t                            *body;       /* freed with the request */
    ngx_http_npmtoken_api_step_pt      parsed;     /* the step after the
                                                      body is read */

    /* authentication: who asks, and with what */
    ngx_str_t                          password;
    ngx_str_t                          email;      /* for the registry */
    ngx_http_npmtoken_api_step_pt      loaded;     /* the step after the
                                                      account is loaded */
    ngx_http_npmtoken_api_step_pt      verified;   /* the step after the second
                                                      factor */
    ngx_http_npmtoken_api_step_pt      admitted;   /* the step after all
                                                      proofs */
    npmtoken_account_t                 account;
    ngx_str_t                          user_seen;  /* the fields the decision
                                                      rests on */
    ngx_http_npmtoken_api_attempt_t   *attempt;
    ngx_str_t                          code;       /* one-time password */
    ngx_str_t                          rehashed;   /* a new hash of the
                                                      password */
    unsigned                           exists:1;   /* the account */
    unsigned                           reverified:1; /* loaded again after a
                                                        rehash */
    unsigned                           reuse:1;    /* a code that this token
                                                      has used is accepted
                                                      again */
    unsigned                           guarded:1;  /* the write may go on to
                                                      the registry */

    /* a call of the page */
    u_char                            *session_key;   /* of the cookie, or
                                                         NULL */
    ngx_http_npmtoken_api_step_pt      entered;    /* the step after the session
                                                      is known or made */
    ngx_http_npmtoken_api_step_pt      stranger;   /* the step after the bearer
                                                      was not good; NULL: the
                                                      answer says so */
    ngx_http_npmtoken_api_step_pt      renewed;    /* the step after the session
                                                      has another secret */
    ngx_str_t                          secret;     /* of a session, until it is
                                                      in the answer */
    size_t                             nth;        /* of several keys to
                                                      revoke */
    unsigned                           own:2;      /* the session's own is among
                                                      them: 1 to come, 2 done */
    unsigned                           sessions:1; /* they are listed, not
                                                      tokens */
    unsigned                           web:1;      /* it is one */
    unsigned                           sso:1;      /* nginx knows the person: no
                                                      password was given */
    unsigned                           proven:1;   /* password and code were
                                                      given with it */

    /* a request that waits for somebody in a browser */
    ngx_str_t                          pending;    /* its key */
    ngx_str_t                          pending_seen;
    npmtoken_field_t                  *pending_fields;
    ngx_uint_t                         npending_fields;
    ngx_str_t                          pending_url;   /* for the browser */
    ngx_str_t                          done_url;   /* for the client */
    ngx_str_t                          compare;    /* a code that both show */
    ngx_http_npmtoken_api_result_pt    ticketed;   /* the step after a ticket */
    const char                        *asked;      /* the sentence beside the
                                                      URLs */
    unsigned                           spend:1;    /* the token to be made takes
                                                      the place of it */

    /* the bearer: the token of this request as stored now, or NULL */
    ngx_http_npmtoken_api_step_pt      known;      /* the step after the
                                                      bearer is read */
    npmtoken_record_t                 *bearer;
    ngx_str_t                          bearer_key;
    ngx_str_t                          bearer_seen;
    npmtoken_field_t                  *bearer_fields;
    ngx_uint_t                         nbearer_fields;

    /* a new token, or the key of a token to revoke */
    ngx_http_npmtoken_api_grant_t      grant;
    ngx_str_t                          token;
    u_char                             key[NPMTOKEN_KEY_LEN];
    ngx_str_t                          created;    /* the time now, as npm
                                                      prints it */
    ngx_array_t                        record;     /* of npmtoken_field_t */
    ngx_http_npmtoken_api_step_pt      stored;     /* the step after the token
                                                      is stored */

    /* a change of the account */
    npmtoken_tfa_e                     mode;
    ngx_str_t                          fullname;
    ngx_str_t                          new_password;
    u_char                            *codes;      /* recovery codes */

    /* the page of a list */
    ngx_int_t                          page;
    ngx_int_t                          per_page;

    /* what is waited for */
    ngx_http_npmtoken_api_reply_pt     acted;      /* receives the reply to a
                                                      change */
    ngx_http_npmtoken_api_wait_t       wait;
    void                              *job;        /* _registry */
    void                             (*detach)(void *job);
    ngx_uint_t                         registry_status;
    unsigned                           unreplicated:1; /* done, but too few
                                                          replicas have it */
};


extern ngx_module_t  ngx_http_npmtoken_api_module;


#endif /* _NGX_HTTP_NPMTOKEN_API_H_INCLUDED_ */
