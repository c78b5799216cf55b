/*
 * cli_version - `postern version`: the version, and the libraries it runs with.
 */
#include <curl/curl.h>
#include <idn2.h>
#include <jansson.h>
#include <microhttpd.h>

#include "service/cli.h"
#include "service/cli_tool.h"
#include "service/features.h"

int cli_version(int argc, char **argv, const char *const *environment)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    buf out = BUF_INIT;

    (void)environment;
    if (argc > 1)
        return cli_complain(CLI_USAGE, "version takes no argument %s", argv[1]);
    buf_addf(&out, "postern %s%s\n", POSTERN_VERSION, POSTERN_LEAN ? " lean" : "");
    buf_addf(&out, "libmicrohttpd %s\n", MHD_get_version());
    buf_addf(&out, "jansson %s\n", jansson_version_str());
    buf_addf(&out, "libcurl %s (%s)\n", curl->version, curl->ssl_version);
    buf_addf(&out, "libidn2 %s\n", idn2_check_version(NULL));
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}
