/* libFuzzer entry: any bytes as a block of events, and as what is inside of one (behind the
 * checksum, where blind changes would never arrive). What was decoded is encoded again and must
 * come out the same.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/codec_fuzz.c
 *     ./codec_fuzz tests/fuzz/corpus/codec */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_again(struct codec *c, const struct event_batch *b)
{
    struct str blob;
    AUTO_EVENT_BATCH again = EVENT_BATCH_INIT;
    if (codec_encode(c, b, 0, b->count, CODEC_CHUNK, &blob, NULL) < 0)
        return;
    AUTO_FREE char *copy = mem_copy(blob.p, blob.n);
    ASSERT(codec_decode(c, (struct str){copy, blob.n}, &again, NULL) >= 0);
    ASSERT(again.count == b->count);
    ASSERT(memcmp(again.text.p, b->text.p, b->text.n) == 0);
    for (size_t i = 0; i < b->count; i++) {
        const struct event *x = &b->events[i], *y = &again.events[i];
        ASSERT(x->seq == y->seq && x->line == y->line && x->ts_us == y->ts_us);
        ASSERT(x->type == y->type && x->level == y->level && id_eq(x->task_id, y->task_id));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct codec *c = codec_new();
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    struct str bytes = {(const char *)data, n};
    if (codec_decode(c, bytes, &out, NULL) >= 0)
        check_again(c, &out);
    if (codec_decode_raw(bytes, &out, NULL) >= 0)
        check_again(c, &out);
    codec_free(c);
    return 0;
}
