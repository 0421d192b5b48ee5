
/*
 * The command line.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <getopt.h>
#include "npmtokenctl.h"
#include "npmtokenctl_rights.h"
#include "npmtoken_otp.h"
#include "npmtoken_version.h"


typedef struct {
    const char           *name;
    int                   letter;     /* an id; only "h" and "V" can be
                                         typed as letters */
    const char          **value;      /* value or flag is NULL */
    int                  *flag;
    const char           *help;
} ctl_option_t;


typedef struct {
    const char           *words;
    const char           *args;
    ngx_uint_t            min;
    ngx_uint_t            max;
    const char           *options;    /* in addition to the common ones */
    int                 (*run)(char **argv, ngx_uint_t n);
    const char           *help;
} ctl_command_t;


static char *ctl_parse(int argc, char **argv);
static void ctl_getopt(struct option *options);
static void ctl_option(int letter, const char *value);
static ctl_command_t *ctl_find(char **argv, ngx_uint_t n, ngx_uint_t *words);
static ngx_uint_t ctl_match(const char *words, char **argv, ngx_uint_t n);
static void ctl_check_usage(ctl_command_t *command, ngx_uint_t n,
    const char *given);
static void ctl_help(void);


ctl_options_t  ctl_options = { .prefix = "npmtoken:" };


static int  ctl_help_wanted;
static int  ctl_version_wanted;


#define CTL_EVERYWHERE  "rUPTQACEIXpntjhV"


static ctl_option_t  ctl_known_options[] = {

    { "redis", 'r', &ctl_options.redis, NULL,
      "URL  redis://[user@]host[:port][/db], rediss:// for TLS,\n"
      "      unix:/path[:db], redis-cluster://host[:port],...\n"
      "      redis-sentinel://host[:port],.../master[/db]" },
    { "redis-user", 'U', &ctl_options.redis_user, NULL, "NAME" },
    { "redis-password-file", 'P', &ctl_options.redis_password_file, NULL,
      "FILE" },
    { "sentinel-user", 'T', &ctl_options.sentinel_user, NULL, "NAME" },
    { "sentinel-password-file", 'Q', &ctl_options.sentinel_password_file, NULL,
      "FILE" },
    { "cacert", 'A', &ctl_options.cacert, NULL,
      "FILE  CAs of the certificate of Redis; else the system's" },
    { "cert", 'C', &ctl_options.cert, NULL,
      "FILE  our certificate, for a Redis that wants one" },
    { "key", 'E', &ctl_options.key, NULL, "FILE  its key" },
    { "sni", 'I', &ctl_options.sni, NULL,
      "NAME  what the certificate of Redis is for, the host by default" },
    { "insecure", 'X', NULL, &ctl_options.insecure,
      "do not verify the certificate of Redis" },
    { "prefix", 'p', &ctl_options.prefix, NULL,
      "TEXT  prefix of the keys, \"npmtoken:\" by default" },
    { "replicas", 'n', &ctl_options.replicas, NULL,
      "N  wait until N replicas have a change" },
    { "timeout", 't', &ctl_options.timeout, NULL,
      "MS  wait MS milliseconds at most, 1000 by default" },
    { "json", 'j', NULL, &ctl_options.json, "" },
    { "help", 'h', NULL, &ctl_help_wanted, "" },
    { "version", 'V', NULL, &ctl_version_wanted, "" },

    { "email", 'e', &ctl_options.email, NULL, "ADDRESS" },
    { "password-stdin", 'S', NULL, &ctl_options.password_stdin,
      "read it from the standard input" },
    { "no-password", 'N', NULL, &ctl_options.no_password,
      "another registry knows the password" },
    { "mode", 'm', &ctl_options.mode, NULL,
      "auth-only | auth-and-writes (the default)" },
    { "issuer", 'i', &ctl_options.issuer, NULL,
      "TEXT  the name that the authenticator shows, \"npm\" by default" },
    { "all", 'a', NULL, &ctl_options.all, "" },
    { "read-only", 'R', NULL, &ctl_options.readonly, "" },
    { "cidr", 'c', &ctl_options.cidr, NULL, "LIST" },
    { "expires", 'x', &ctl_options.expires, NULL, "DAYS" },
    { "packages", 'k', &ctl_options.packages, NULL, "LIST" },
    { "scopes", 's', &ctl_options.scopes, NULL, "LIST" },
    { "name", 'l', &ctl_options.name, NULL, "LABEL" },
    { "description", 'd', &ctl_options.description, NULL, "TEXT" },
    { "protected", 'g', NULL, &ctl_options.protected,
      "the token cannot log itself out" },
    { "bypass-2fa", 'b', NULL, &ctl_options.bypass_2fa, "" },
    { "user", 'u', &ctl_options.user, NULL, "NAME" },
    { "keep", 'K', NULL, &ctl_options.keep,
      "write \"revoked_at\" instead of deleting" },
    { "yes", 'y', NULL, &ctl_options.yes, "answer yes to all questions" },
    { "dry-run", 'D', NULL, &ctl_options.dry_run, "check the file, import "
                                                  "nothing" },
    { "skip-bad", 'B', NULL, &ctl_options.skip_bad,
      "import the rows that are good" },
    { "passwords", 'W', &ctl_options.passwords, NULL,
      "DIR  USER.password there has the password; made if it is missing" },
    { "drop-passwords", 'F', NULL, &ctl_options.drop_passwords,
      "former passwords of these users end" },
    { "print", 'q', NULL, &ctl_options.print,
      "only print the ACL commands; Redis is not asked" },
    { "proofs", 'w', NULL, &ctl_options.proofs,
      "with the rights that \"proof_replicas\" takes" }
};

#define CTL_OPTIONS  (sizeof(ctl_known_options) / sizeof(ctl_known_options[0]))


static ctl_command_t  ctl_commands[] = {

    { "user add", "NAME", 1, 1, "eSN", ctl_user_add,
      "a new account" },
    { "user passwd", "NAME", 1, 1, "S", ctl_user_passwd,
      "a new password" },
    { "user lock", "NAME", 1, 1, "", ctl_user_lock,
      "stop logins; tokens stay valid" },
    { "user unlock", "NAME", 1, 1, "", ctl_user_unlock,
      "allow logins again" },
    { "user 2fa enable", "NAME", 1, 1, "mi", ctl_user_tfa_enable,
      "a new secret, as a QR code, and recovery codes" },
    { "user 2fa disable", "NAME", 1, 1, "", ctl_user_tfa_disable,
      "no second factor" },
    { "user list", "", 0, 0, "", ctl_user_list,
      "all accounts" },
    { "user show", "NAME", 1, 1, "", ctl_user_show,
      "one account" },
    { "user fold", "", 0, 0, "", ctl_user_fold,
      "move accounts that an older release stored under keys with capitals" },
    { "token list", "NAME | --all", 0, 1, "a", ctl_token_list,
      "the tokens of an account, or of all" },
    { "token show", "ID | NAME | -", 1, 1, "", ctl_token_show,
      "one, by a unique prefix of its key, by its label, or by the token\n"
      "      itself from the standard input" },
    { "token create", "NAME", 1, 1, "Rcxksldgb", ctl_token_create,
      "a new token, which is shown only once" },
    { "token revoke", "ID | TOKEN | - | --user NAME | --all", 0, 1, "uaKy",
      ctl_token_revoke,
      "one, by a unique prefix of its key or the token itself (\"-\": from\n"
      "      the standard input), those of an account, or all" },
    { "import", "FILE | -", 1, 1, "DB", ctl_import,
      "keys of another registry, as CSV or JSON" },
    { "check", "", 0, 0, "", ctl_check,
      "list bad records and accounts, and why they are bad" },
    { "init", "[worker] [api] [ctl] [issuer]", 0, CTL_ROLES, "WFqywS", ctl_init,
      "make the users of Redis with their rights, and print the lines for\n"
      "      nginx; without a role: worker, api, ctl" }
};

#define CTL_COMMANDS  (sizeof(ctl_commands) / sizeof(ctl_commands[0]))


int
main(int argc, char **argv)
{
    int             rc;
    const char     *given;
    ngx_uint_t      n, words;
    ctl_command_t  *command;

    ctl_options.environment = getenv("NPMTOKEN_REDIS");

    given = ctl_parse(argc, argv);

    if (ctl_help_wanted) {
        ctl_help();
        return CTL_OK;
    }

    if (ctl_version_wanted) {
        printf("npmtokenctl %s\n", NPMTOKEN_VERSION);
        return CTL_OK;
    }

    argv += optind;
    n = argc - optind;

    command = ctl_find(argv, n, &words);

    ctl_check_usage(command, n - words, given);

    if (npmtoken_otp_init() != NGX_OK) {
        ctl_die(CTL_BAD, "the cryptographic libraries cannot be used");
    }

    rc = command->run(argv + words, n - words);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        ctl_die(CTL_BAD, "cannot write to the standard output");
    }

    return rc;
}


/* Returns the letters of the given options. */

static char *
ctl_parse(int argc, char **argv)
{
    int            i, letter;
    char          *given;
    struct option  options[CTL_OPTIONS + 1];

    /* errors are in JSON even if --json comes after the bad option */

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl_options.json = 1;
        }
    }

    ctl_getopt(options);

    given = ctl_alloc(argc + 1);
    opterr = 0;

    for ( ;; ) {
        letter = getopt_long(argc, argv, ":hV", options, NULL);

        switch (letter) {

        case -1:
            return given;

        case '?':
            ctl_die(CTL_USAGE, "option \"%s\" is unknown or takes no value; "
                    "see --help", argv[optind - 1]);

        case ':':
            ctl_die(CTL_USAGE, "option \"%s\" needs a value",
                    argv[optind - 1]);
        }

        given[strlen(given)] = (char) letter;
        ctl_option(letter, optarg);
    }
}


static void
ctl_getopt(struct option *options)
{
    ngx_uint_t  i;

    ngx_memzero(options, (CTL_OPTIONS + 1) * sizeof(struct option));

    for (i = 0; i < CTL_OPTIONS; i++) {
        options[i].name = ctl_known_options[i].name;
        options[i].has_arg = ctl_known_options[i].value ? required_argument
                                                        : no_argument;
        options[i].val = ctl_known_options[i].letter;
    }
}


static void
ctl_option(int letter, const char *value)
{
    ngx_uint_t     i;
    ctl_option_t  *option;

    for (i = 0; i < CTL_OPTIONS; i++) {

        option = &ctl_known_options[i];

        if (option->letter != letter) {
            continue;
        }

        if (option->value) {
            *option->value = value;

        } else {
            *option->flag = 1;
        }
    }
}


static ctl_command_t *
ctl_find(char **argv, ngx_uint_t n, ngx_uint_t *words)
{
    ngx_uint_t  i;

    for (i = 0; i < CTL_COMMANDS; i++) {

        *words = ctl_match(ctl_commands[i].words, argv, n);

        if (*words) {
            return &ctl_commands[i];
        }
    }

    if (n == 0) {
        ctl_die(CTL_USAGE, "a command is missing; see --help");
    }

    ctl_die(CTL_USAGE, "there is no command \"%s%s%s\"; see --help", argv[0],
            n > 1 ? " " : "", n > 1 ? argv[1] : "");
}


/* Returns how many words a command has if these are its words, else 0. */

static ngx_uint_t
ctl_match(const char *words, char **argv, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        len = strlen(argv[i]);

        if (strncmp(words, argv[i], len) != 0) {
            return 0;
        }

        if (words[len] == '\0') {
            return i + 1;
        }

        if (words[len] != ' ') {
            return 0;
        }

        words += len + 1;
    }

    return 0;
}


static void
ctl_check_usage(ctl_command_t *command, ngx_uint_t n, const char *given)
{
    ngx_uint_t  i;

    for ( /* void */ ; *given; given++) {

        if (strchr(CTL_EVERYWHERE, *given)
            || strchr(command->options, *given))
        {
            continue;
        }

        for (i = 0; ctl_known_options[i].letter != *given; i++) {
            /* void */
        }

        ctl_die(CTL_USAGE, "\"%s\" has no option --%s; see --help",
                command->words, ctl_known_options[i].name);
    }

    if (n < command->min || n > command->max) {
        ctl_die(CTL_USAGE, "usage: npmtokenctl %s%s%s", command->words,
                *command->args ? " " : "", command->args);
    }
}


static void
ctl_help(void)
{
    ngx_uint_t      i;
    const char     *p;
    ctl_command_t  *command;

    printf("usage: npmtokenctl [OPTION...] COMMAND\n\n");

    for (command = ctl_commands; command < ctl_commands + CTL_COMMANDS;
         command++)
    {
        printf("  %s%s%s\n      %s\n", command->words,
               *command->args ? " " : "", command->args, command->help);

        for (p = command->options; *p; p++) {
            for (i = 0; i < CTL_OPTIONS; i++) {
                if (ctl_known_options[i].letter == *p) {
                    printf("        --%s %s\n", ctl_known_options[i].name,
                           ctl_known_options[i].help);
                }
            }
        }
    }

    printf("\noptions of every command:\n\n");

    for (i = 0; i < sizeof(CTL_EVERYWHERE) - 1; i++) {
        printf("  --%s %s\n", ctl_known_options[i].name,
               ctl_known_options[i].help);
    }

    printf("\nWithout --redis the URL is that of NPMTOKEN_REDIS, or "
           "redis://127.0.0.1.\nExit status: 0 done; 1 something is not valid "
           "or not there; 2 usage;\n3 Redis cannot be reached or refuses; 4 "
           "too few replicas have the change;\n5 Redis cannot save its "
           "users.\n");
}
