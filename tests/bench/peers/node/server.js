// The Node.js peer: an HTTP-to-SMTP gateway as a team would write it with fastify and nodemailer. It takes the same
// request as Postern's /v1/send, and logs each as Postern does, with fastify's own logger. One process.
//
//   RELAY=host:port LISTEN=port SESSIONS=8 [RELAY_USER= RELAY_PASSWORD= RELAY_CA=file.pem] [NEW_SESSIONS=1] node server.js
import {readFileSync} from 'node:fs';
import {connect} from 'node:net';
import fastify from 'fastify';
import nodemailer from 'nodemailer';

const {RELAY, LISTEN, SESSIONS, RELAY_USER, RELAY_PASSWORD, RELAY_CA, NEW_SESSIONS} = process.env;
const [host, port] = RELAY.split(':');

/**
 * A connection without Nagle's algorithm, which nodemailer leaves on: as it writes a mail in several pieces, each mail
 * would wait 40 ms for the relay's delayed ACK.
 */
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
  maxMessages: NEW_SESSIONS ? 1 : Infinity, // nodemailer closes a session after 100 mails by default
  requireTLS: Boolean(RELAY_CA),
  ignoreTLS: !RELAY_CA,
  tls: RELAY_CA ? {ca: [readFileSync(RELAY_CA)]} : undefined,
  auth: RELAY_USER ? {user: RELAY_USER, pass: RELAY_PASSWORD} : undefined,
});

const entities = {amp: '&', lt: '<', gt: '>', quot: '"', times: '×', euro: '€', nbsp: ' '};

/** Strips the tags: good enough for a mail's plain text. */
function textOf(html) {
  return html
    .replace(/<(?:br\s*\/?|\/(?:p|h[1-6]|div|tr|li|table))>/gi, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&([a-z]+);/g, (whole, name) => entities[name] ?? whole);
}

const server = fastify({bodyLimit: 48 * 1024 * 1024, logger: true});

server.post('/v1/send', async (request, reply) => {
  const {from, to, subject, html, text, attachments = []} = request.body;
  try {
    const info = await transport.sendMail({
      from,
      to,
      subject,
      html,
      text: text ?? textOf(html),
      attachments: attachments.map(({filename, content}) => ({filename, content, encoding: 'base64'})),
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return {status: 'sent', message_id: info.messageId, accepted: info.accepted, response: info.response};
  } catch (error) {
    return reply.code(502).send({detail: error.message});
  }
});

await server.listen({host: '127.0.0.1', port: Number(LISTEN)});
