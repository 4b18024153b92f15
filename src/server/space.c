#include "server/space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/chronicle.h"
#include "server/server.h"

enum { LOOK_EVERY_MS = 1000, SENTENCE_MAX = 200 };

struct room {
    int64_t disk_bytes, inside_bytes;
    bool gone; /* the database is not where it was: deleted, moved, or another one is there */
};

struct space {
    struct server *server;
    int64_t min_bytes;    /* 0: it is never low */
    struct stat database; /* as it was found at the start */
    uv_timer_t timer;
    uv_work_t work;
    struct room room, looked;
    bool looking, low, stopped, warned;
    int code;
    struct err err;
};

static int64_t room_bytes(const struct room *room)
{
    return room->disk_bytes + room->inside_bytes;
}

int64_t space_folder_bytes(const char *folder)
{
    DIR *dir = opendir(folder);
    struct stat st;
    int64_t bytes = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            bytes += st.st_size;
    if (dir)
        (void)closedir(dir);
    return bytes;
}

/* From there on it is not low any more. */
static int64_t enough_bytes(const struct space *space)
{
    return space->min_bytes + space->min_bytes / 10;
}

static int database_stat(const struct space *space, struct stat *ret_st)
{
    AUTO_FREE char *path = mem_printf("%s/tailrace.db", space->server->options->data);
    return stat(path, ret_st);
}

static bool database_is_gone(const struct space *space)
{
    struct stat st;
    if (database_stat(space, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR;
    return st.st_dev != space->database.st_dev || st.st_ino != space->database.st_ino;
}

/* What is free inside is asked for only when the disk alone has not enough. */
static int room_look(struct space *space, struct room *room, struct err *e)
{
    const char *folder = space->server->options->data;
    struct statvfs fs;
    AUTO_READER *reader = NULL;
    *room = (struct room){.gone = database_is_gone(space)};
    if (room->gone)
        return 0;
    if (statvfs(folder, &fs) < 0)
        return fail_errno(e, errno, "cannot see how much room is left for %s", folder);
    room->disk_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (room->disk_bytes >= enough_bytes(space))
        return 0;
    int r = store_read_begin(space->server->store, &reader, e);
    return r < 0 ? r : store_free_bytes(reader, &room->inside_bytes, e);
}

static const char *sentence(const struct space *space, char to[SENTENCE_MAX])
{
    char left[32], least[32];
    text_bytes((uint64_t)room_bytes(&space->room), left);
    text_bytes((uint64_t)enough_bytes(space), least);
    if (space->room.gone)
        (void)snprintf(to, SENTENCE_MAX,
                       "the database is not in the data folder any more: what is written now "
                       "will be lost, new jobs wait");
    else if (space->low)
        (void)snprintf(to, SENTENCE_MAX,
                       "the disk is nearly full: %s are left, new jobs wait until it is %s",
                       left, least);
    else
        (void)snprintf(to, SENTENCE_MAX,
                       "there is room again: %s are left, jobs that waited start", left);
    return to;
}
#define SENTENCE(space) sentence((space), (char[SENTENCE_MAX]){0})

static void take_in(struct space *space, struct room room)
{
    bool low =
        room.gone || room_bytes(&room) < (space->low ? enough_bytes(space) : space->min_bytes);
    bool news = low != space->low || room.gone != space->room.gone;
    space->room = room;
    if (!news)
        return;
    space->low = low;
    chronicle_add(space->server,
                  room.gone ? LEVEL_ERROR
                  : low     ? LEVEL_WARN
                            : LEVEL_INFO,
                  low ? "space_low" : "space_enough", "", "%s", SENTENCE(space));
    engine_hold(space->server->engine, low);
}

static void on_pool(uv_work_t *work)
{
    struct space *space = container_of(work, struct space, work);
    space->code = room_look(space, &space->looked, &space->err);
}

static void on_looked(uv_work_t *work, int status)
{
    struct space *space = container_of(work, struct space, work);
    (void)status;
    space->looking = false;
    if (space->code < 0 && !space->warned)
        log_warn("%s", space->err.text);
    space->warned = space->code < 0;
    if (space->code >= 0 && !space->stopped)
        take_in(space, space->looked);
}

static void on_timer(uv_timer_t *timer)
{
    struct space *space = container_of(timer, struct space, timer);
    if (space->looking)
        return;
    space->looking = true;
    ASSERT(uv_queue_work(timer->loop, &space->work, on_pool, on_looked) == 0);
}

int space_new(struct server *s, int64_t min_bytes, struct space **ret_space, struct err *e)
{
    struct space *space = mem_alloc(sizeof(*space));
    *space = (struct space){.server = s, .min_bytes = min_bytes};
    struct room room;
    int r = database_stat(space, &space->database) < 0
                ? fail_errno(e, errno, "cannot see the database in %s", s->options->data)
                : room_look(space, &room, e);
    if (r < 0) {
        free(space);
        return r;
    }
    take_in(space, room);
    ASSERT(uv_timer_init(&s->loop, &space->timer) == 0);
    ASSERT(uv_timer_start(&space->timer, on_timer, LOOK_EVERY_MS, LOOK_EVERY_MS) == 0);
    *ret_space = space;
    return 0;
}

void space_stop(struct space *space)
{
    if (!space || space->stopped)
        return;
    space->stopped = true;
    uv_close((uv_handle_t *)&space->timer, NULL);
}

void space_free(struct space *space)
{
    free(space);
}

void space_json(const struct space *space, struct json *j)
{
    json_key(j, "space");
    json_begin_object(j);
    json_key_bool(j, "low", space->low);
    json_key_c(j, "message", space->low ? SENTENCE(space) : "");
    json_key_int(j, "free_bytes", room_bytes(&space->room));
    json_key_int(j, "min_free_bytes", space->min_bytes);
    json_end_object(j);
}

bool space_is_low(const struct space *space)
{
    return space->low;
}
