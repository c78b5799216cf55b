/*
 * How fast a template is rendered: template FILE DATA. Prints the octets of a rendering and MB of
 * output for a second of processor time, each rendering into the same buffer (the median of many
 * runs).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "template/template.h"

#define RUNS       21
#define RENDERINGS 500

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool read_all(const char *path, buf *out)
{
    char piece[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(out, piece, n);
    return fclose(f) == 0 && buf_ok(out);
}

/* Seconds that a rendering takes; negative: it failed. */
static double measure(const template_unit *t, const json_t *data, buf *out, template_fault *fault)
{
    static const template_options options = {.most = 1 << 24, .steps = 1 << 24};
    double times[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        double start = now();
        for (size_t j = 0; j < RENDERINGS; j++) {
            buf_clear(out);
            if (!template_render(t, data, &options, out, fault))
                return -1;
        }
        times[i] = (now() - start) / RENDERINGS;
    }
    qsort(times, RUNS, sizeof *times, ascending);
    return times[RUNS / 2];
}

int main(int argc, char **argv)
{
    buf source = BUF_INIT, out = BUF_INIT;
    template_fault fault = {.text = "usage: template FILE DATA"};
    template_set *s = template_set_create();
    json_t *data = argc == 3 ? json_load_file(argv[2], 0, NULL) : NULL;
    double t = -1;
    if (s && data && read_all(argv[1], &source) &&
        template_set_add(s, "mail", TEMPLATE_HTML, source.data, source.len, &fault))
        t = measure(template_set_find(s, "mail"), data, &out, &fault);
    if (t > 0)
        printf("%zu %.1f\n", out.len, (double)out.len / t * 1e-6);
    else
        (void)fprintf(stderr, "%s\n", fault.text);
    json_decref(data);
    template_set_free(s);
    buf_free(&source);
    buf_free(&out);
    return t > 0 ? 0 : 1;
}
