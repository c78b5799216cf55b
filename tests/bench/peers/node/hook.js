// The Node.js peer for webhooks: GitHub's become mails, as a team would write it with fastify, @octokit/webhooks-methods,
// mustache and nodemailer. It answers when the relay has accepted the mail, because it has no queue. One process.
//
//   RELAY=host:port LISTEN=port SESSIONS=8 SECRET= TEMPLATE=folder node hook.js
import {readFileSync} from 'node:fs';
import {connect} from 'node:net';
import {verify} from '@octokit/webhooks-methods';
import fastify from 'fastify';
import Mustache from 'mustache';
import nodemailer from 'nodemailer';

const {RELAY, LISTEN, SESSIONS, SECRET, TEMPLATE} = process.env;
const [host, port] = RELAY.split(':');

/** Without Nagle's algorithm: as in server.js. */
function connectWithoutDelay(options, done) {
  const socket = connect({host, port: Number(port), noDelay: true});
  socket.once('error', done);
  socket.once('connect', () => {
    socket.removeListener('error', done);
    done(null, {connection: socket});
  });
}

const transport = nodemailer.createTransport({
  getSocket: connectWithoutDelay,
  host,
  port: Number(port),
  pool: true,
  maxConnections: Number(SESSIONS),
  maxMessages: Infinity,
  ignoreTLS: true,
});

const parts = ['subject', 'html', 'text'].map((name) => [name, readFileSync(`${TEMPLATE}/${name}.mustache`, 'utf8')]);
const html = {escape: Mustache.escape};
const plain = {escape: String};

/** Mustache keeps what it has compiled. */
function render(payload) {
  return Object.fromEntries(parts.map(([name, text]) => [name, Mustache.render(text, payload, {}, name === 'html' ? html : plain)]));
}

let seen = new Set(); // a delivery that comes again is answered, and sent once
setInterval(() => { seen = new Set(); }, 3600e3).unref();

const server = fastify({bodyLimit: 1024 * 1024, logger: true});

server.addContentTypeParser('application/json', {parseAs: 'string'}, (request, body, done) => done(null, body));

server.post('/v1/hooks/push', async (request, reply) => {
  const body = request.body;
  const delivery = request.headers['x-github-delivery'];
  if (!(await verify(SECRET, body, request.headers['x-hub-signature-256'] ?? 'sha256='))) {
    return reply.code(401).send({detail: 'The signature is not right.'});
  }
  if (seen.has(delivery)) {
    return reply.code(200).send({status: 'sent'});
  }
  const {subject, html, text} = render(JSON.parse(body));
  try {
    seen.add(delivery);
    const info = await transport.sendMail({
      from: 'GitHub <hooks@example.com>',
      to: 'team@example.net',
      subject: subject.trim(),
      html,
      text,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return reply.code(202).send({status: 'sent', message_id: info.messageId});
  } catch (error) {
    seen.delete(delivery);
    return reply.code(503).send({detail: error.message});
  }
});

await server.listen({host: '127.0.0.1', port: Number(LISTEN)});
