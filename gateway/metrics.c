/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters live in atomics: one row for the gateway, one row per channel. Rows are found by an
 * open-addressed table whose slots are claimed by compare-and-swap and never given back, so adding
 * never takes a lock and a channel that a reload removed keeps its history.
 */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

/* Twice CONFIG_SECTIONS_MAX: probes stay short, and renaming every channel once still fits. */
enum { METRICS_ROWS_MAX = 1024 };

struct metrics_row {
    char *channel;
    _Atomic int64_t values[METRIC_COUNT];
};

struct metrics_entry {
    const char *name;
    const char *type;
    bool per_channel;
    const char *help;
};

#define METRICS_ENTRY(id, name, type, per_channel, help) [id] = {name, type, per_channel, help},
static const struct metrics_entry metrics_entries[] = {METRICS(METRICS_ENTRY)};
#undef METRICS_ENTRY

static struct metrics_row metrics_gateway;
/* Where channels are counted together once every slot is taken. */
static struct metrics_row metrics_others = {.channel = (char[]){"others"}};
static struct metrics_row *_Atomic metrics_rows[METRICS_ROWS_MAX];

/* FNV-1a: channel names come from the configuration, not from an adversary. */
static size_t metrics_hash(const char *channel)
{
    uint32_t hash = 2166136261u;
    for (; *channel != '\0'; channel++)
        hash = (hash ^ (unsigned char)*channel) * 16777619u;
    return hash % METRICS_ROWS_MAX;
}

/* Puts a new row into an empty slot; gives whatever row stands there afterwards. */
static struct metrics_row *metrics_claim(struct metrics_row *_Atomic *slot, const char *channel)
{
    struct metrics_row *row = mem_calloc(1, sizeof *row);
    row->channel = mem_strdup(channel);
    struct metrics_row *found = NULL;
    if (atomic_compare_exchange_strong(slot, &found, row))
        return row;
    free(row->channel);
    free(row);
    return found;
}

static struct metrics_row *metrics_row_of(const char *channel)
{
    if (channel == NULL)
        return &metrics_gateway;
    size_t first = metrics_hash(channel);
    for (size_t n = 0; n < METRICS_ROWS_MAX; n++) {
        struct metrics_row *_Atomic *slot = &metrics_rows[(first + n) % METRICS_ROWS_MAX];
        struct metrics_row *row = atomic_load(slot);
        if (row == NULL)
            row = metrics_claim(slot, channel);
        if (strcmp(row->channel, channel) == 0)
            return row;
    }
    return &metrics_others;
}

void metrics_add(enum metric metric, const char *channel, int64_t value)
{
    struct metrics_row *row = metrics_row_of(channel);
    atomic_fetch_add_explicit(&row->values[metric], value, memory_order_relaxed);
}

int64_t metrics_get(enum metric metric, const char *channel)
{
    return atomic_load_explicit(&metrics_row_of(channel)->values[metric], memory_order_relaxed);
}

static void metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    metrics_head(out, name, "gauge", help);
    buf_addf(out, "%s %" PRId64 "\n", name, value);
}

static void metrics_write_row(struct buf *out, enum metric metric, struct metrics_row *row)
{
    int64_t value = atomic_load_explicit(&row->values[metric], memory_order_relaxed);
    if (row->channel == NULL)
        buf_addf(out, "%s %" PRId64 "\n", metrics_entries[metric].name, value);
    else
        buf_addf(out, "%s{channel=\"%s\"} %" PRId64 "\n", metrics_entries[metric].name,
                 row->channel, value);
}

static void metrics_write_channels(struct buf *out, enum metric metric)
{
    for (size_t n = 0; n < METRICS_ROWS_MAX; n++) {
        struct metrics_row *row = atomic_load(&metrics_rows[n]);
        if (row != NULL)
            metrics_write_row(out, metric, row);
    }
    if (atomic_load(&metrics_others.values[metric]) != 0)
        metrics_write_row(out, metric, &metrics_others);
}

void metrics_write(struct buf *out)
{
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        const struct metrics_entry *entry = &metrics_entries[metric];
        metrics_head(out, entry->name, entry->type, entry->help);
        if (entry->per_channel)
            metrics_write_channels(out, metric);
        else
            metrics_write_row(out, metric, &metrics_gateway);
    }
}
