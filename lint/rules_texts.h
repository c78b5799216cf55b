/*
 * rules_texts - what the rules of rules_table.h say, as pack/pack.c packs and lint.c unpacks it.
 */
#ifndef POSTERN_LINT_RULES_TEXTS_H
#define POSTERN_LINT_RULES_TEXTS_H

#include "base/packed.h"
#include "lint/lint_own.h"

/* As it is written down; not in the program. */
extern const lint_rule_text lint_texts_source[];
extern const size_t lint_texts_source_count;

static const uint16_t lint_rule_text_texts[] = {offsetof(lint_rule_text, why),
                                                offsetof(lint_rule_text, cure)};
static const packed_layout lint_rule_text_layout = {sizeof(lint_rule_text), 2,
                                                    lint_rule_text_texts};

#endif
