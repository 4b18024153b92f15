/* What crawls kept. */
#include "feed/encode.h"
#include "server/answer.h"
#include "server/request.h"

struct query {
    struct id id;
    struct document_query documents;
};

static struct query *query_new(struct request *r)
{
    struct query *q = arena_alloc(&r->arena, sizeof(*q));
    r->arg = q;
    return q;
}

static int read_documents(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    AUTO_ARENA a = ARENA_INIT;
    struct document_row **rows;
    struct job_row *job;
    size_t count = 0;
    int64_t total = 0;
    int code = 0;
    if (!id_is_none(q->documents.job_id))
        code = store_get_job(reader, q->documents.job_id, &a, &job, e);
    if (code >= 0)
        code = store_list_documents(reader, &q->documents, &a, &rows, &count, &total, e);
    if (code < 0)
        return code;
    json_begin_object(&r->j);
    json_key(&r->j, "documents");
    json_begin_array(&r->j);
    for (size_t i = 0; i < count; i++)
        answer_write_document(rows[i], q->documents.with_markdown, &r->j);
    json_end_array(&r->j);
    answer_write_page(&r->j, total, q->documents.limit, q->documents.offset);
    encode_cursor(&r->j, "cursor", store_epoch(r->server->store), store_read_as_of(reader));
    json_end_object(&r->j);
    return 0;
}

int handle_job_results(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    q->documents.with_markdown = true;
    int code = request_id(r, "job", &q->documents.job_id, e);
    if (code >= 0)
        code = request_page(r, 50, &q->documents.limit, &q->documents.offset, e);
    if (code >= 0)
        request_read(r, read_documents, NULL);
    return code;
}

int handle_documents(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    int code = request_page(r, 50, &q->documents.limit, &q->documents.offset, e);
    if (code >= 0)
        request_read(r, read_documents, NULL);
    return code;
}

static int read_document(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    struct document_row *row;
    int code = store_get_document(reader, q->id, &r->arena, &row, e);
    if (code == E_NOTFOUND)
        return fail(e, E_NOTFOUND, "there is no document '%s'", ID_TEXT(q->id));
    if (code >= 0)
        answer_write_document(row, true, &r->j);
    return code;
}

int handle_document_get(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    int code = request_id(r, "document", &q->id, e);
    if (code >= 0)
        request_read(r, read_document, NULL);
    return code;
}
