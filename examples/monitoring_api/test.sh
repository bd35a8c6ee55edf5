#!/usr/bin/env bash
# Starts the service with SQLite, nothing else, and runs the Postman collection against it.
# With DATABASE_URL and REDIS_URL set, against those.
set -euo pipefail
cd "$(dirname "$0")"

missing() { echo "$1 is missing: $2" >&2; exit 1; }
command -v cargo >/dev/null || missing cargo "install Rust from https://rustup.rs"
if [ -z "${NEWMAN:-}" ]; then
    command -v newman >/dev/null || missing newman "npm install --global newman, or NEWMAN=path/to/newman"
    NEWMAN=newman
fi
command -v curl >/dev/null || missing curl "apt-get install curl"

cargo build --quiet
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
work=$(mktemp -d)
service=
finish() {
    if [ -n "$service" ]; then kill -INT "$service" 2>/dev/null && wait "$service" || true; fi
    rm -rf "$work"
}
trap finish EXIT

export DATABASE_URL=${DATABASE_URL:-sqlite:$work/incidents.db?mode=rwc}
export API_TOKEN=swordfish HOST=127.0.0.1 PORT=0 HEALTH_PORT=0
"$target/debug/monitoring_api" >"$work/addresses" 2>"$work/log" &
service=$!
for _ in $(seq 100); do
    grep -q '^health ' "$work/addresses" && break
    kill -0 "$service" 2>/dev/null || break
    sleep 0.1
done
api=$(sed -n 's/^api //p' "$work/addresses")
health=$(sed -n 's/^health //p' "$work/addresses")
if [ -z "$api" ] || [ -z "$health" ]; then
    echo "the service did not start within 10 s:" >&2
    cat "$work/log" >&2
    exit 1
fi
# What the Dockerfile's HEALTHCHECK runs; waits until the schema is there.
"$target/debug/monitoring_api" healthcheck --ready --wait 10s "$api"

"$NEWMAN" run ../docs/monitoring_api.postman_collection.json --timeout-request 10000 \
    --env-var "baseUrl=$api" --env-var "healthUrl=$health" --env-var "token=$API_TOKEN"

# An empty request of gRPC, and SERVING as the whole answer, in hexadecimal.
serving=$(printf '\0\0\0\0\0' | curl --silent --http2-prior-knowledge --max-time 5 --data-binary @- \
    --header 'content-type: application/grpc' --header 'te: trailers' \
    "$api/grpc.health.v1.Health/Check" | od -An -tx1 | tr -d ' \n')
if [ "$serving" != 00000000020801 ]; then
    echo "gRPC does not answer with SERVING, but with '$serving'" >&2
    exit 1
fi

kill -INT "$service"
if ! wait "$service"; then
    echo "the service did not end with status 0 after SIGINT:" >&2
    cat "$work/log" >&2
    exit 1
fi
service=
echo "the collection has passed, gRPC says SERVING, and the service has ended"
