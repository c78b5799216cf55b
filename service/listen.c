#include "service/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static void tell(char **error, const char *where, const char *why)
{
    if (asprintf(error, "Can't listen on %s: %s.", where, why) < 0)
        *error = NULL;
}

static void tell_errno(char **error, const char *where, int number)
{
    char text[128];
    tell(error, where, strerror_r(number, text, sizeof text));
}

/* True if the path is a socket on which nobody answers: what a killed process left. */
static bool is_stale_socket(const struct sockaddr_un *address)
{
    struct stat info;
    if (lstat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED;
    (void)close(fd);
    return stale;
}

static int open_unix(const config_listen *where, char **address, char **error)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(where->path) >= sizeof un.sun_path) {
        tell(error, where->path, "the path is too long for a unix socket");
        return -1;
    }
    memcpy(un.sun_path, where->path, strlen(where->path) + 1);
    if (is_stale_socket(&un))
        (void)unlink(un.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof un) != 0 ||
        listen(fd, BACKLOG) != 0) {
        tell_errno(error, where->path, errno);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    if (asprintf(address, "unix:%s", where->path) < 0)
        *address = NULL;
    return fd;
}

static int open_one(const struct addrinfo *info)
{
    const int on = 1;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* Best effort: without it a restart may have to wait for old connections to time out. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    (void)close(fd);
    errno = number;
    return -1;
}

static char *name_of(int fd, bool tls)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[NI_MAXHOST], port[NI_MAXSERV], *name = NULL;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0 ||
        getnameinfo((const struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return NULL;
    bool v6 = strchr(host, ':') != NULL;
    if (asprintf(&name, "%s://%s%s%s:%s", tls ? "https" : "http", v6 ? "[" : "", host,
                 v6 ? "]" : "", port) < 0)
        return NULL;
    return name;
}

static int open_tcp(const config_listen *where, bool tls, char **address, char **error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char port[8], shown[300];
    int fd = -1;

    (void)snprintf(port, sizeof port, "%u", where->port);
    (void)snprintf(shown, sizeof shown, "%s:%s", where->host, port);
    int fault = getaddrinfo(where->host, port, &hints, &list);
    if (fault != 0) {
        tell(error, shown, gai_strerror(fault));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = open_one(at);
    if (fd < 0)
        tell_errno(error, shown, errno);
    else
        *address = name_of(fd, tls);
    freeaddrinfo(list);
    return fd;
}

int listen_open(const config_listen *where, bool tls, char **address, char **error)
{
    *address = NULL;
    int fd = where->kind == CONFIG_LISTEN_UNIX ? open_unix(where, address, error)
                                               : open_tcp(where, tls, address, error);
    if (fd >= 0 && !*address) {
        (void)close(fd);
        tell_errno(error, "the address", ENOMEM);
        return -1;
    }
    return fd;
}
