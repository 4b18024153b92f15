/* status.h: what the numbers of HTTP mean in words. Pure; thread: any. */
#pragma once

/* The usual reason of a status from 200 on ("Not Found"), "" for one that is not known. */
const char *http_status_reason(int status);
