/* files.c: how many tasks may run at once for the files that they hold open.
 *
 * Pipes, terminals and sockets of tasks are files of the server, which may have so many and no
 * more. A task that would be one too many is not begun, for to begin it would be to fail; its
 * step stands in line until one that runs has ended. The first of the line begins one task,
 * then it is the next one's turn. */
#include "engine/job.h"

#define WAITS_TEXT "waits for open files of the server"

static struct files *files_of(const struct step *step)
{
    return &step->job->engine->files;
}

void files_init(struct files *files)
{
    *files = (struct files){0};
    list_init(&files->waiting);
}

static void wake_first(struct files *files)
{
    struct step *first = LIST_FIRST(&files->waiting, struct step, link_files);
    if (first)
        step_is_due(first);
}

/* What else it says of its progress is said while something of it runs. */
static void wait_tell(struct step *step, bool waits)
{
    bool told = step->progress_text && str_eq_c(STR(WAITS_TEXT), step->progress_text);
    if (told == waits || step->running_count > 0)
        return;
    engine_host.progress(&step->worker, waits ? WAITS_TEXT : "");
    if (!waits)
        fan_tell(step);
}

bool files_take(struct step *step)
{
    struct files *files = files_of(step);
    int count = step->worker.type->files;
    struct step *first = LIST_FIRST(&files->waiting, struct step, link_files);
    bool is_full = files->used > 0 && files->used + count > files->most;
    if (count > 0 && files->most > 0 && (is_full || (first && first != step))) {
        if (!list_is_linked(&step->link_files))
            list_add(&files->waiting, &step->link_files);
        wait_tell(step, true);
        return false;
    }
    wait_tell(step, false);
    files->used += count;
    files_leave(step);
    return true;
}

void files_give(struct step *step)
{
    files_of(step)->used -= step->worker.type->files;
    wake_first(files_of(step));
}

void files_leave(struct step *step)
{
    if (!list_is_linked(&step->link_files))
        return;
    list_remove(&step->link_files);
    wake_first(files_of(step));
}
