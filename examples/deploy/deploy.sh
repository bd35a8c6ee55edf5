#!/bin/sh
# Deploys one instance without a lost request, where the balancer would not notice its drain in time:
# it is taken out first, so nothing is sent to it as it closes its listener. Needs curl.
#
#     sh deploy.sh OUT RESTART URL IN
#
# OUT and IN are the commands that take the instance out of the balancer and back in, RESTART is the one
# that ends it by SIGTERM and starts the new one, URL is its own address. NGINX with nginx/nginx.conf:
#
#     sh deploy.sh 'touch /run/nginx/app1.down' 'systemctl restart shop@1' \
#         http://10.0.0.11:8080 'rm /run/nginx/app1.down'
#
# HAProxy, with the socket of haproxy/*.cfg and the package socat:
#
#     sh deploy.sh 'echo set server app/app1 state drain | socat - /run/haproxy/admin.sock' \
#         'systemctl restart shop@1' http://10.0.0.11:8080 \
#         'echo set server app/app1 state ready | socat - /run/haproxy/admin.sock'
#
# Exit status: 0 deployed; 1 a command failed or the new instance is not ready within 60 s, so it stays
# out; 2 wrong use.
set -u

fail() {
    echo "error: $2" >&2
    exit "$1"
}

[ $# -eq 4 ] || fail 2 "expected four arguments, OUT RESTART URL IN, found $#; the head of deploy.sh has examples"
out=$1 restart=$2 url=${3%/} in=$4
case $url in
    http://* | https://*) ;;
    *) fail 2 "invalid URL \`$url\`, expected e.g. http://10.0.0.11:8080" ;;
esac
command -v curl >/dev/null || fail 2 "curl is missing: apt-get install curl, or https://curl.se"

sh -c "$out" || fail 1 "\`$out\` failed; nothing was restarted"
# What is on its way is served: the instance goes on for its drain delay after SIGTERM.
sh -c "$restart" || fail 1 "\`$restart\` failed; the instance stays out"
tries=0
until curl --silent --fail --max-time 2 --output /dev/null "$url/readyz"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || fail 1 "$url is not ready; it stays out"
    sleep 1
done
sh -c "$in" || fail 1 "\`$in\` failed; the instance is ready and stays out"
