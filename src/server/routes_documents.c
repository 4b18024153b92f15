/* What crawls kept. */
#include <string.h>

#include "base/clock.h"
#include "feed/encode.h"
#include "server/answer.h"
#include "server/request.h"

struct query {
    struct id id;
    struct document_query documents;
    bool facets;
};

/* How many documents there are of each value of something. */
struct facet {
    const char *key;
    int64_t count;
};

static struct query *query_new(struct request *r)
{
    struct query *q = arena_alloc(&r->arena, sizeof(*q));
    r->arg = q;
    return q;
}

/* ---- facets ---- */

enum { FACETS_MAX = 200 }; /* further values are left out: the first ones are the newest */

static void facet_count(struct facet *facets, size_t *count, const char *key)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(facets[i].key, key) == 0) {
            facets[i].count++;
            return;
        }
    }
    if (*count < FACETS_MAX)
        facets[(*count)++] = (struct facet){key, 1};
}

static const char *host_of(struct arena *a, const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + strlen("://") : url;
    return arena_str(a, (struct str){host, strcspn(host, "/")});
}

static void facet_end(const struct facet *facet, struct json *j)
{
    json_key_int(j, "count", facet->count);
    json_end_object(j);
}

static void write_hosts(const struct facet *hosts, size_t count, struct json *j)
{
    json_key(j, "hosts");
    json_begin_array(j);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(j);
        json_key_c(j, "host", hosts[i].key);
        facet_end(&hosts[i], j);
    }
    json_end_array(j);
}

static int write_jobs(struct store_reader *reader, struct arena *a, const struct facet *jobs,
                      size_t count, struct json *j, struct err *e)
{
    int code = 0;
    json_key(j, "jobs");
    json_begin_array(j);
    for (size_t i = 0; i < count && code >= 0; i++) {
        struct job_row *job = NULL;
        struct id id;
        ASSERT(id_parse(str_of(jobs[i].key), &id));
        code = store_get_job(reader, id, a, &job, e);
        json_begin_object(j);
        json_key_c(j, "job_id", jobs[i].key);
        json_key_c(j, "job_name", job && job->name ? job->name : "");
        facet_end(&jobs[i], j);
    }
    json_end_array(j);
    return code;
}

/* Of all documents with the words, whatever their host and job. */
static int read_facets(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    AUTO_ARENA a = ARENA_INIT;
    struct document_query all = q->documents;
    all.job_id = ID_NONE, all.host = NULL, all.limit = -1, all.offset = 0;
    struct document_row **rows;
    struct facet hosts[FACETS_MAX], jobs[FACETS_MAX];
    size_t count = 0, host_count = 0, job_count = 0;
    int64_t total;
    int code = store_list_documents(reader, &all, &a, &rows, &count, &total, e);
    if (code < 0)
        return code;
    for (size_t i = 0; i < count; i++) {
        facet_count(hosts, &host_count, host_of(&a, rows[i]->url ? rows[i]->url : ""));
        facet_count(jobs, &job_count, arena_strdup(&a, ID_TEXT(rows[i]->job_id)));
    }
    json_key(&r->j, "facets");
    json_begin_object(&r->j);
    write_hosts(hosts, host_count, &r->j);
    code = write_jobs(reader, &a, jobs, job_count, &r->j, e);
    json_end_object(&r->j);
    return code;
}

/* ---- lists ---- */

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
    if (q->facets)
        code = read_facets(r, reader, e);
    encode_cursor(&r->j, "cursor", store_epoch(r->server->store), store_read_as_of(reader));
    json_end_object(&r->j);
    return code;
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

/* The words of `q`, and what else narrows the list. */
static int parse_filter(struct request *r, struct query *q, struct err *e)
{
    struct str rest = request_query(r, "q"), host = request_query(r, "host");
    struct str job = request_query(r, "job_id"), since = request_query(r, "since");
    int count = 0;
    while (rest.p) {
        struct str word = str_trim(str_cut(&rest, ' '));
        if (word.n == 0)
            continue;
        if (count == DOCUMENT_WORDS_MAX)
            return fail_field(e, E_INVAL, "q", "at most %d words are looked for",
                              DOCUMENT_WORDS_MAX);
        q->documents.words[count++] = arena_str(&r->arena, word);
    }
    if (host.n)
        q->documents.host = arena_str(&r->arena, host);
    if (job.n && !id_parse(job, &q->documents.job_id))
        return fail_field(e, E_INVAL, "job_id", "job_id is the id of a job, not '%.*s'",
                          (int)MIN(job.n, (size_t)64), job.p);
    if (since.n && !clock_parse(since, &q->documents.since_us))
        return fail_field(e, E_INVAL, "since",
                          "since is a time such as 2026-11-23T10:15:00Z, not '%.*s'",
                          (int)MIN(since.n, (size_t)64), since.p);
    return request_query_bool(r, "facets", false, &q->facets, e);
}

int handle_documents(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    int code = request_page(r, 50, &q->documents.limit, &q->documents.offset, e);
    if (code >= 0)
        code = parse_filter(r, q, e);
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
