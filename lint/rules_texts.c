#include "lint/rules_texts.h"

#define RULE(code, severity, mark, check, why, cure)                                               \
    {                                                                                              \
        why, cure                                                                                  \
    }
const lint_rule_text lint_texts_source[] = {
#include "lint/rules_table.h"
};
const size_t lint_texts_source_count = sizeof lint_texts_source / sizeof *lint_texts_source;
