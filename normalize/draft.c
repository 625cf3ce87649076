/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/draft.h"

#include "normalize/mem.h"

void draft_init(struct draft *draft)
{
    *draft = (struct draft){.visibility = REPORT_PRIVATE};
    reporter_init(&draft->reporter);
}

static void draft_release_lists(struct draft *draft)
{
    for (size_t i = 0; i < draft->reference_count; i++)
        free(draft->references[i].value);
    for (size_t i = 0; i < draft->attachment_count; i++) {
        free(draft->attachments[i].name);
        free(draft->attachments[i].media_type);
        free(draft->attachments[i].data);
    }
    free(draft->attachments);
    for (size_t i = 0; i < draft->problem_count; i++) {
        free(draft->problems[i].field);
        free(draft->problems[i].code);
    }
    for (size_t i = 0; i < draft->warning_count; i++)
        free(draft->warnings[i]);
}

void draft_release(struct draft *draft)
{
    free(draft->native_id);
    free(draft->fingerprint);
    free(draft->subject);
    free(draft->text);
    free(draft->category);
    free(draft->location_text);
    free(draft->additional);
    free(draft->typed_date);
    free(draft->point_source);
    reporter_release(&draft->reporter);
    draft_release_lists(draft);
    draft_init(draft);
}

int draft_attach(struct draft *draft, const char *name, const char *media_type, char *data,
                 size_t len)
{
    if (draft->attachment_count == DRAFT_ATTACHMENTS_MAX) {
        free(data);
        return -1;
    }
    draft->attachments =
        mem_realloc(draft->attachments, draft->attachment_count + 1, sizeof *draft->attachments);
    draft->attachments[draft->attachment_count++] = (struct draft_attachment){
        .name = mem_strdup(name),
        .media_type = mem_strdup(media_type),
        .data = data,
        .len = len,
    };
    return 0;
}

void draft_refer(struct draft *draft, enum record_reference_kind kind, const char *value)
{
    if (draft->reference_count == DRAFT_REFERENCES_MAX)
        return;
    for (size_t i = 0; i < draft->reference_count; i++) {
        const struct record_reference *known = &draft->references[i];
        if (known->kind == kind && strcmp(known->value, value) == 0)
            return;
    }
    draft->references[draft->reference_count++] =
        (struct record_reference){.kind = kind, .value = mem_strdup(value)};
}

void draft_problem(struct draft *draft, const char *field, const char *code)
{
    if (draft->problem_count == DRAFT_PROBLEMS_MAX)
        return;
    for (size_t i = 0; i < draft->problem_count; i++) {
        const struct record_problem *known = &draft->problems[i];
        if (strcmp(known->field, field) == 0 && strcmp(known->code, code) == 0)
            return;
    }
    draft->problems[draft->problem_count++] =
        (struct record_problem){.field = mem_strdup(field), .code = mem_strdup(code)};
}

void draft_warn(struct draft *draft, const char *code)
{
    if (draft->warning_count == REPORT_WARNINGS_MAX)
        return;
    for (size_t i = 0; i < draft->warning_count; i++) {
        if (strcmp(draft->warnings[i], code) == 0)
            return;
    }
    draft->warnings[draft->warning_count++] = mem_strdup(code);
}
