#include "worker/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { COLUMNS = 120, ROWS = 40 };

int pty_open(int ret_ends[2])
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
    struct termios t;
    int unlock = 0, own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (own < 0)
        return -errno;
    int theirs = ioctl(own, TIOCSPTLCK, &unlock) < 0
                     ? -1
                     : ioctl(own, TIOCGPTPEER, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (theirs >= 0 && tcgetattr(theirs, &t) == 0) {
        cfmakeraw(&t);
        if (tcsetattr(theirs, TCSANOW, &t) == 0 && ioctl(theirs, TIOCSWINSZ, &size) == 0) {
            ret_ends[0] = own;
            ret_ends[1] = theirs;
            return 0;
        }
    }
    int error = errno;
    if (theirs >= 0)
        (void)close(theirs);
    (void)close(own);
    return -error;
}
