/* Tests of service/park: when a connection waits aside, and when the daemon has it back. What is
 * asked of the daemon is only counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/park.h"

static int suspended;

/* These stand before the library's. */
void MHD_suspend_connection(struct MHD_Connection *connection)
{
    (void)connection;
    suspended++;
}

void MHD_resume_connection(struct MHD_Connection *connection)
{
    (void)connection;
    suspended--;
}

typedef struct world {
    int epoll, server, client;
    park park;
    park_place place;
} world;

static void begin(world *w)
{
    int pair[2];

    memset(w, 0, sizeof *w);
    suspended = 0;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    w->server = pair[0];
    w->client = pair[1];
    park_add(&w->park, &w->place, w->epoll, NULL, w->server);
    assert_ptr_equal(w->place.park, &w->park);
}

static void end(world *w)
{
    park_remove(&w->place, w->epoll);
    assert_null(w->park.parked.first);
    assert_null(w->park.going.first);
    assert_int_equal(close(w->client) | close(w->server) | close(w->epoll), 0);
}

/* A request comes, and the epoll tells of it. */
static void ask(world *w)
{
    struct epoll_event event;

    assert_int_equal(write(w->client, "x", 1), 1);
    assert_int_equal(epoll_wait(w->epoll, &event, 1, 1000), 1);
    park_signalled(event.data.ptr);
}

static void answer(world *w, int64_t now_us)
{
    park_taken(&w->place);
    park_enter(&w->place, now_us);
}

static void one_that_is_asked_goes_and_is_parked_again(void **state)
{
    world w;

    (void)state;
    begin(&w);
    for (uint64_t turn = 1; turn < 4; turn++) {
        answer(&w, 0);
        assert_int_equal(suspended, 1);
        assert_int_equal(park_due(&w.park), PARK_US);
        assert_false(park_go(&w.park, turn));
        ask(&w);
        assert_int_equal(park_due(&w.park), INT64_MAX);
        assert_true(park_go(&w.park, turn));
        assert_int_equal(suspended, 0);
        park_asked(&w.place, turn);
    }
    end(&w);
}

/* What is read in the turn in which it came back, and no epoll told of, had been sent ahead. */
static void one_whose_client_sends_ahead_is_parked_once(void **state)
{
    world w;

    (void)state;
    begin(&w);
    answer(&w, 0);
    park_leave(&w.park, PARK_US - 1);
    assert_false(park_go(&w.park, 1));
    park_leave(&w.park, PARK_US);
    assert_true(park_go(&w.park, 1));
    park_asked(&w.place, 1);
    answer(&w, 0);
    assert_int_equal(suspended, 0);
    end(&w);
}

/* Where those that go gather, a request may come when its connection's time is over already. */
static void one_that_is_asked_while_it_gathers_was_not_sent_ahead(void **state)
{
    world w;

    (void)state;
    begin(&w);
    answer(&w, 0);
    park_leave(&w.park, PARK_US);
    ask(&w);
    assert_int_equal(suspended, 1);
    assert_true(park_go(&w.park, 1));
    park_asked(&w.place, 1);
    answer(&w, 0);
    assert_int_equal(suspended, 1);
    end(&w);
}

/* What comes between its reading and its answer must not be waited for. */
static void one_that_was_asked_before_its_answer_is_not_parked(void **state)
{
    world w;

    (void)state;
    begin(&w);
    park_taken(&w.place);
    ask(&w);
    park_enter(&w.place, 0);
    assert_int_equal(suspended, 0);
    answer(&w, 0);
    assert_int_equal(suspended, 1);
    end(&w);
}

static void one_that_is_closed_is_in_no_list(void **state)
{
    world w;

    (void)state;
    begin(&w);
    answer(&w, 0);
    end(&w);
    begin(&w);
    answer(&w, 0);
    ask(&w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_asked_goes_and_is_parked_again),
        cmocka_unit_test(one_whose_client_sends_ahead_is_parked_once),
        cmocka_unit_test(one_that_is_asked_while_it_gathers_was_not_sent_ahead),
        cmocka_unit_test(one_that_was_asked_before_its_answer_is_not_parked),
        cmocka_unit_test(one_that_is_closed_is_in_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
