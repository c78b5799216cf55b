// Sends mail with Mailgun's own SDK; sdks.py runs it, and says what a job is.

import { Readable } from 'node:stream';
import { createInterface } from 'node:readline';

import FormData from 'form-data';
import Mailgun from 'mailgun.js';

const mailbox = ([name, email]) => (name ? `"${name.replace(/["\\]/g, '\\$&')}" <${email}>` : email);

function file({ filename, type, content, cid }, streamed) {
    const data = Buffer.from(content, 'base64');
    return {
        filename: cid ?? filename,
        data: streamed ? Readable.from([data.subarray(0, 5), data.subarray(5)]) : data,
        ...(type && { contentType: type }),
    };
}

function message({ mail, separate, stream }) {
    const files = (mail.attachments ?? []).map((one) => [one.cid ? 'inline' : 'attachment', file(one, stream)]);
    const made = { to: mail.to.map(mailbox) };
    if (mail.from) made.from = mailbox(mail.from);
    for (const name of ['cc', 'bcc']) if (mail[name]) made[name] = mail[name].map(mailbox);
    for (const name of ['subject', 'text', 'html', 'template']) if (mail[name]) made[name] = mail[name];
    for (const name of ['attachment', 'inline']) {
        const some = files.filter(([kind]) => kind === name).map(([, one]) => one);
        if (some.length) made[name] = some;
    }
    if (mail.reply_to) made['h:Reply-To'] = mail.reply_to.map(mailbox).join(', ');
    for (const [name, value] of Object.entries(mail.headers ?? {})) made[`h:${name}`] = value;
    for (const [name, value] of Object.entries(mail.metadata ?? {})) made[`v:${name}`] = value;
    if (mail.tags) made['o:tag'] = mail.tags;
    if (mail.send_at) made['o:deliverytime'] = new Date(mail.send_at * 1000).toUTCString();
    if (mail.test) made['o:testmode'] = 'yes';
    if (mail.data) made['t:variables'] = JSON.stringify(mail.data);
    if (separate) made['recipient-variables'] = JSON.stringify(mail.variables ?? {});
    if (mail.mime) {
        const octets = Buffer.from(mail.mime, 'base64');
        made.message = { text: () => octets.toString(), file: () => octets }[mail.as]();
    }
    return { ...made, ...mail.more };
}

async function send(job) {
    const client = new Mailgun(FormData).client({ username: job.user ?? 'api', key: job.key, url: job.url });
    try {
        return await client.messages.create(job.domain, message(job));
    } catch (error) {
        if (error.type !== 'MailgunAPIError') throw error;
        return { status: error.status, details: error.details, text: error.message };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
