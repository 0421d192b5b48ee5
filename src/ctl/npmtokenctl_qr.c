
/*
 * Prints a QR code as characters.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <qrencode.h>
#include "npmtokenctl.h"


/* width of the white border, in modules */
#define CTL_QUIET  4


static ngx_uint_t ctl_module(QRcode *code, int x, int y);


/*
 * Each character shows two modules, one above the other.  Light modules are
 * drawn, so on a terminal the colours are set as well.
 */

void
ctl_print_qr(const char *text)
{
    int      x, y;
    QRcode  *code;

    static const char  *halves[] = {
        " ", "\342\226\204", "\342\226\200", "\342\226\210"
    };

    code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code == NULL) {
        ctl_note("(too long for a QR code)");
        return;
    }

    for (y = -CTL_QUIET; y < code->width + CTL_QUIET; y += 2) {

        if (isatty(STDOUT_FILENO)) {
            printf("\033[40;97m");
        }

        for (x = -CTL_QUIET; x < code->width + CTL_QUIET; x++) {
            printf("%s", halves[2 * !ctl_module(code, x, y)
                                + !ctl_module(code, x, y + 1)]);
        }

        printf("%s\n", isatty(STDOUT_FILENO) ? "\033[0m" : "");
    }

    QRcode_free(code);
}


static ngx_uint_t
ctl_module(QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) {
        return 0;
    }

    return code->data[y * code->width + x] & 1;
}
