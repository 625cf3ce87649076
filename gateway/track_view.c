/* SPDX-License-Identifier: Apache-2.0 */
/* What tracking shows of a report: memory only. Own texts are wiped: they are the citizen's words.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/site.h"
#include "normalize/mem.h"

void track_view_init(struct track_view *view)
{
    *view = (struct track_view){0};
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void track_view_release(struct track_view *view)
{
    for (size_t i = 0; i < view->timeline_count; i++) {
        free(view->timeline[i].day);
        free(view->timeline[i].state);
        free(view->timeline[i].agency);
        free(view->timeline[i].answer);
    }
    free(view->timeline);
    free(view->state);
    wipe(view->story);
    wipe(view->location);
    wipe(view->additional);
    free(view->category);
    track_view_init(view);
}

struct track_item *track_view_add(struct track_view *view)
{
    view->timeline = mem_realloc(view->timeline, view->timeline_count + 1, sizeof *view->timeline);
    struct track_item *item = &view->timeline[view->timeline_count++];
    *item = (struct track_item){0};
    return item;
}
