/*
 * cli_templates - the templates of the settings, for the commands that render some.
 */
#include "service/cli.h"
#include "service/cli_tool.h"

templates *cli_templates(const config *c, int *code)
{
    buf complaints = BUF_INIT;
    templates *t = templates_load(c->templates, &complaints);

    if (!t && complaints.len > 0 && buf_ok(&complaints)) {
        *code = CLI_CONFIGURATION;
        (void)fwrite(complaints.data, 1, complaints.len, stderr);
    } else if (!t) {
        *code = cli_no_memory();
    }
    buf_free(&complaints);
    return t;
}
