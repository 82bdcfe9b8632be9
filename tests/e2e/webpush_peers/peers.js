// SPDX-License-Identifier: Apache-2.0
// Our requests before peers that share nothing with us: http_ece opens the bodies, node's crypto verifies the VAPID
// tokens, web-push-testing takes the whole request. Usage: node peers.js SENDER; modules are found by NODE_PATH.
const assert = require('node:assert');
const crypto = require('node:crypto');
const http = require('node:http');
const readline = require('node:readline');
const {spawn} = require('node:child_process');
const ece = require('http_ece');

const PAYLOADS = ['hello', '', '\u041f\u0440\u0438\u0432\u0435\u0442 \u{1F514}', 'x'.repeat(3993), '{"web_push":8030,"notification":{"title":"t","navigate":"https://example.com/"}}'];
const PER_PAYLOAD = 20;
const SKIPPED = 77;  // what ctest reports as skipped

// The sender as a function from (subscription, notification) to a request.
function start(privateKey, allowedOrigin) {
  const child = spawn(process.argv[2], [privateKey, allowedOrigin], {stdio: ['pipe', 'pipe', 'inherit']});
  const waiting = [];
  readline.createInterface({input: child.stdout}).on('line', (line) => waiting.shift()(JSON.parse(line)));
  return {
    stop: () => child.stdin.end(),
    ask: (subscription, notification) => new Promise((resolve) => {
      waiting.push(resolve);
      child.stdin.write(JSON.stringify({subscription: JSON.stringify(subscription), notification: JSON.stringify(notification)}) + '\n');
    }),
  };
}

function keyPair() {
  const ecdh = crypto.createECDH('prime256v1');
  ecdh.generateKeys();
  return {ecdh, point: ecdh.getPublicKey('base64url'), scalar: ecdh.getPrivateKey('base64url')};
}

function verifyVapid(authorization, expectedKey, audience) {
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(authorization);
  assert.strictEqual(key, expectedKey);
  const [header, claims, signature] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  const jwk = {kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url')};
  const good = crypto.verify('sha256', Buffer.from(`${header}.${claims}`), {key: crypto.createPublicKey({key: jwk, format: 'jwk'}), dsaEncoding: 'ieee-p1363'},
    Buffer.from(signature, 'base64url'));
  assert.ok(good, 'the signature of the VAPID token does not fit');
  assert.strictEqual(JSON.parse(Buffer.from(header, 'base64url')).alg, 'ES256');
  const said = JSON.parse(Buffer.from(claims, 'base64url'));
  assert.strictEqual(said.aud, audience);
  assert.strictEqual(said.sub, 'mailto:ops@example.com');
}

async function bodiesAreOpenedByHttpEce(vapid) {
  const sender = start(vapid.scalar, 'push.example.org');
  const seen = new Set();
  for (const payload of PAYLOADS) {
    for (let i = 0; i < PER_PAYLOAD; ++i) {
      const browser = keyPair();
      const auth = crypto.randomBytes(16);
      const request = await sender.ask({endpoint: `https://push.example.org/s/${i}`, keys: {p256dh: browser.point, auth: auth.toString('base64url')}}, {payload});
      assert.ok(!request.refused, request.refused);
      const body = Buffer.from(request.body, 'base64url');
      const opened = ece.decrypt(body, {version: 'aes128gcm', privateKey: browser.ecdh, authSecret: auth.toString('base64url')});
      assert.strictEqual(opened.toString(), payload);
      seen.add(body.subarray(0, 86).toString('hex'));
      verifyVapid(request.headers.authorization, vapid.point, 'https://push.example.org');
    }
  }
  assert.strictEqual(seen.size, PAYLOADS.length * PER_PAYLOAD, 'a salt or key was used twice');
  sender.stop();
  return seen.size;
}

function post(port, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({host: '127.0.0.1', port, path, method: 'POST', headers: {...headers, 'content-length': body.length}}, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({status: answer.statusCode, body: Buffer.concat(parts).toString()}));
    });
    request.on('error', reject);
    request.end(body);
  });
}
const postJson = async (port, path, value) => JSON.parse((await post(port, path, {'content-type': 'application/json'}, Buffer.from(JSON.stringify(value)))).body);

async function requestsAreTakenByWebPushTesting(vapid) {
  const Server = require('web-push-testing/src/server.js');
  const {PushApiModel} = require('web-push-testing/src/PushApiModel.js');
  const probe = http.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.on('listening', resolve));
  const {port} = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const service = new Server(new PushApiModel(), port);
  service.setRequestHandlers();
  const listener = service._app.listen(port, '127.0.0.1'); // startServer would listen on every interface
  await new Promise((resolve) => listener.on('listening', resolve));
  const sender = start(vapid.scalar, `localhost:${port}`);
  const {data} = await postJson(port, '/subscribe', {userVisibleOnly: 'true', applicationServerKey: vapid.point});
  const endpoint = data.endpoint.replace('http://', 'https://'); // it speaks plain HTTP only, we never do
  const send = async (payload) => {
    const request = await sender.ask({endpoint, keys: data.keys}, {payload, ttl: 60, topic: 'news', urgency: 'high'});
    assert.ok(!request.refused, request.refused);
    return post(port, request.path, request.headers, Buffer.from(request.body, 'base64url'));
  };
  for (const payload of ['first', 'second']) {
    const answer = await send(payload);
    assert.strictEqual(answer.status, 201, answer.body);
  }
  const {data: {messages}} = await postJson(port, '/get-notifications', {clientHash: data.clientHash});
  assert.deepStrictEqual(messages, ['first', 'second']);
  await post(port, `/expire-subscription/${data.clientHash}`, {}, Buffer.alloc(0));
  assert.strictEqual((await send('late')).status, 410);
  sender.stop();
  listener.close();
  listener.closeAllConnections();
}

async function main() {
  const vapid = keyPair();
  console.log(`http_ece opened ${await bodiesAreOpenedByHttpEce(vapid)} messages, node verified their tokens`);
  if (Number(process.versions.node.split('.')[0]) < 20) {
    console.log('1 case skipped: web-push-testing needs node 20 or newer');
    return SKIPPED;
  }
  await requestsAreTakenByWebPushTesting(vapid);
  console.log('web-push-testing took 2 messages and refused 1 for an expired subscription');
  return 0;
}

main().then((code) => process.exit(code), (error) => {
  console.error(error);
  process.exit(1);
});
