#!/bin/sh
# Asks a service how it is, with curl.
#
#     sh health.sh http://127.0.0.1:8000       # once
#     sh health.sh http://127.0.0.1:8000 3     # and then three events of its stream
#
# Prints the report as text. Exit status: 0 healthy, degraded or being deployed; 1 unhealthy; 2 no
# answer, or wrong use.
set -u

fail() {
    echo "error: $1" >&2
    exit 2
}

command -v curl >/dev/null || fail "curl is missing: apt-get install curl, or https://curl.se"
case ${1-} in
    http://* | https://*) url=${1%/} ;;
    *) fail "expected the URL of a service, e.g. sh health.sh http://127.0.0.1:8000" ;;
esac
case ${2-0} in
    *[!0-9]* | '') fail "expected a number of events, not \`$2\`" ;;
esac

# Not `--fail`: a 503 has the same report. The last line is the status.
newline='
'
answer=$(curl --silent --show-error --max-time 2 --header 'accept: text/plain' \
    --write-out '%{http_code}' "$url/health" 2>&1) || {
    why=${answer#*curl: }
    fail "no answer from $url: ${why%%"$newline"*}"
}
code=${answer##*"$newline"}
report=${answer%"$newline"*}
case $report in
    *'health check passed' | *'health check failed') printf '%s\n' "$report" ;;
    *) fail "$url/health answers without a health report" ;;
esac

if [ "${2-0}" -gt 0 ]; then
    # Single quotes: in double quotes the shell replaces `$stream` by nothing, and the request goes
    # to /health/. `%24stream` needs none. `limit` ends the stream, which has no end of its own.
    curl --silent --show-error --fail --no-buffer "$url"'/health/$stream?limit='"$2" ||
        fail "$url has no event stream"
fi

[ "$code" = 200 ] && exit 0
# The service is being replaced: not healthy, and nothing to be woken for.
case $report in
    *'[-]$drain '*) exit 0 ;;
esac
exit 1
