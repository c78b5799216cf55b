#!/bin/sh
# Sends a mail with an attachment through Postern.
#
#     ./send.sh [--queue] FILE TO...
#
# POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with --queue:
# is kept, and will be) to everyone. Needs curl 7.84 or newer, and jq.
set -eu

attempts=5
timeout=90 # seconds: more than Postern gives a relay (POSTERN_TIMEOUT)

path=/v1/send
if [ "${1-}" = --queue ]; then
    path=/v1/messages
    shift
fi
if [ $# -lt 2 ]; then
    echo "usage: $0 [--queue] FILE TO..." >&2
    exit 1
fi
file=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# jq writes names and addresses as JSON wants them. The content is a file, since a command line isn't long enough for it.
base64 <"$file" >"$work/content" || exit 1
jq -n --arg name "${file##*/}" --rawfile content "$work/content" '{
    from: "Shop <shop@example.com>",
    to: $ARGS.positional,
    subject: "您的订单 №1234",
    html: "<p>谢谢您的订单。</p>",
    text: "谢谢您的订单。",
    attachments: [{filename: $name, content: $content}]
}' --args -- "$@" >"$work/request"

# One request: the answer goes into a file, its status and the seconds of Retry-After are printed. False: nothing came.
# The API key is told on stdin, since every user of the machine can read command lines.
attempt() {
    rm -f "$work/answer"
    { [ -z "${POSTERN_API_KEY-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$POSTERN_API_KEY"; } |
        curl --silent --show-error --max-time $timeout --config - --data-binary "@$work/request" \
            --header 'Content-Type: application/json' --header "Idempotency-Key: \"$key\"" \
            --output "$work/answer" --write-out '%{http_code} %header{retry-after}' \
            "${POSTERN_URL-http://127.0.0.1:8025}$path" 2>"$work/fault"
}

# look FILTER: what it makes of the answer, as lines.
look() {
    jq -r --arg status "$status" 'def reply: "\(.code) \(.enhanced // "") \(.message)"; '"$1" "$work/answer"
}

tell() {
    look '"\($status) \(.title): \(.detail)",
        (.errors[]? | "  \(.pointer): \(.detail)"),                 # every fault of the request, and where it is
        (.smtp // empty | "  The relay said: \(reply)"),
        (.hint // empty | "  \(.)"),
        (select(.outcome == "unknown") | "  It may have been sent all the same.")' >&2
}

# By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is about
# ("order-1234-thanks"): then it is sent once if this program is started again, too.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
n=1 backoff=1
while :; do
    if said=$(attempt) && jq -e . "$work/answer" >"$work/read" 2>"$work/fault"; then
        status=${said% *} retry_after=${said#* }
        retry_after=${retry_after:-0}
    else # nothing came, or no JSON: a proxy's
        status=0 retry_after=0
        jq -Rs '{title: "No answer", detail: ., retryable: true, outcome: "unknown"}' <"$work/fault" >"$work/answer"
    fi
    case $status in 200 | 202 | 207) break ;; esac
    tell
    if [ "$(look .retryable)" != true ] || [ $n = $attempts ]; then
        break
    fi
    wait=$((retry_after > backoff ? retry_after : backoff))
    echo "  The next attempt is in $wait s." >&2
    sleep $wait
    n=$((n + 1)) backoff=$((backoff * 2))
done

case $status in
202) look '"Kept as \(.id): GET /v1/messages/\(.id) says what becomes of it."' ;;
200 | 207) look '"Sent by relay \(.relay): \(.smtp | reply)"' ;;
esac
# Those of 202 are known to be gone.
left_out=$(look '(.suppressed[]?), (.rejected[]? | "\(.email): \(if .smtp then .smtp | reply else .code end)")')
if [ -n "$left_out" ]; then
    echo "$left_out" | sed 's/^/  not to /' >&2
    exit 1
fi
case $status in 200 | 202) ;; *) exit 1 ;; esac
