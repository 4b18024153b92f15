/* pty.h: a terminal for a command to write to.
 *
 * A program that sees a terminal writes line by line and in colour. This one changes no byte,
 * echoes nothing, is 120 columns by 40 rows, and is nobody's controlling terminal; a program
 * cannot read from it, so that one which would ask or page there finds out at once. A read of
 * what is in it does not end before all that was written has come, and fails with EIO when
 * nobody has it open for writing any more. */
#pragma once

/* ret_ends[0]: to read from, non-blocking; [1]: for the command. Both are closed at an exec. 0,
 * or a negative number of uv_strerror(): there is no terminal to be had. Thread: any. */
int pty_open(int ret_ends[2]);
