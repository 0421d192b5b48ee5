# What nginx's configure adds to the makefile: the files of the web page become
# C, again whenever one of them changes.

npmtoken_web=$ngx_addon_dir/src/web

{
    printf '\n%s:' "$NGX_OBJS/ngx_http_npmtoken_web_files.h"
    printf ' %s' "$npmtoken_web" "$npmtoken_web"/*
    printf '\n\t%s\n' "sh $npmtoken_web/pack $npmtoken_web > \$@.new" \
                      'mv $@.new $@'

} >> $NGX_MAKEFILE
