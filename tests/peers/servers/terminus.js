// @godaddy/terminus, from npm. It has one function for a path: all checks at once.
const http = require('http');
const { setTimeout: sleep } = require('timers/promises');
const { createTerminus } = require('@godaddy/terminus');

const takes = Number(process.env.CHECK_MS);
const names = Array.from({ length: Number(process.env.CHECKS) }, (_, index) => `check-${index}`);

async function check(name) {
  if (takes) await sleep(takes);
  return [name, { state: 'healthy' }];
}

const server = http.createServer((_, response) => response.end());
createTerminus(server, {
  healthChecks: { '/health': async () => Object.fromEntries(await Promise.all(names.map(check))) },
});
server.listen(0, '127.0.0.1', () => {
  const { address, port } = server.address();
  console.log(`${address}:${port}`);
});
