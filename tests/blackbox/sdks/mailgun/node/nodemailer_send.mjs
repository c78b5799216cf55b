// Sends mail with Nodemailer through nodemailer-mailgun-transport; sdks.py runs it, and says what a job is.

import { createInterface } from 'node:readline';

import nodemailer from 'nodemailer';
import mailgun from 'nodemailer-mailgun-transport';

const mailbox = ([name, address]) => (name ? `"${name.replace(/["\\]/g, '\\$&')}" <${address}>` : address);

function message({ mail, separate }) {
    const made = { from: mailbox(mail.from) };
    for (const name of ['to', 'cc', 'bcc']) if (mail[name]) made[name] = mail[name].map(mailbox);
    if (mail.reply_to) made.replyTo = mail.reply_to.map(mailbox);
    for (const name of ['subject', 'text', 'html', 'template']) if (mail[name]) made[name] = mail[name];
    made.attachments = (mail.attachments ?? []).map(({ filename, type, content, cid }) => ({
        filename, cid, contentType: type, content: Buffer.from(content, 'base64'),
    }));
    for (const [name, value] of Object.entries(mail.headers ?? {})) made[`h:${name}`] = value;
    for (const [name, value] of Object.entries(mail.metadata ?? {})) made[`v:${name}`] = value;
    if (mail.tags) made['o:tag'] = mail.tags;
    if (mail.send_at) made['o:deliverytime'] = new Date(mail.send_at * 1000).toUTCString();
    if (mail.test) made['o:testmode'] = 'yes';
    if (separate) made['recipient-variables'] = JSON.stringify(mail.variables ?? {});
    return { ...made, ...mail.more };
}

async function send(job) {
    const transport = nodemailer.createTransport(mailgun({ auth: { api_key: job.key, domain: job.domain }, url: job.url }));
    try {
        const { id, message: text } = await transport.sendMail(message(job));
        return { status: 200, id, message: text };
    } catch (error) {
        if (!error.status) throw error;
        return { status: error.status, details: error.details, text: error.message };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
