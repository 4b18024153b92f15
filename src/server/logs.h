/* logs.h: what the two answers with lines (JSON, plain text) have in common: whose lines, and
 * from which level. */
#pragma once

#include "server/request.h"

struct log_place {
    struct id id;    /* as asked: of a job or a step */
    struct str step; /* name or id of a step of the job, "": the job's own lines; p NULL: not
                        asked */
    /* found by logs_find() */
    struct id job_id;
    struct step_row *step_row; /* in the request's arena; NULL: the whole job */
};

/* E_NOTFOUND. Thread: pool. */
CHECKED int logs_find(struct request *r, struct store_reader *reader, struct log_place *place,
                      struct err *e);

/* The query value `level`: it and above. E_INVAL. */
CHECKED int logs_query_level(const struct request *r, enum event_level *ret_level,
                             struct err *e);
