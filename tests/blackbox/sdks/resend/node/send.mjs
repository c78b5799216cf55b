// Sends mail with Resend's own SDK; sdks.py runs it.
//
// A line of JSON in, one out, with members as the wire has them; files are base64:
//
//   {"version", "url", "key", "call", "arguments", "options", "buffers"} -> {"value"} or {"failure"}
//
// buffers: files are given as Buffers. Before version 6 the base URL is read from the environment, once.

import { createInterface } from 'node:readline';

const modules = { 4: 'resend4', 6.22: 'resend22', 6: 'resend' };

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

function attachment(job, { content, content_id: cid, ...file }) {
    const made = Object.fromEntries(Object.entries(file).map(([name, value]) => [camel(name), value]));
    if (cid) made[job.version === 4 ? 'inlineContentId' : 'contentId'] = cid;
    if (content !== undefined) made.content = job.buffers ? Buffer.from(content, 'base64') : content;
    return made;
}

function email(job, mail) {
    if (typeof mail !== 'object') return mail;
    const made = Object.fromEntries(Object.entries(mail).map(([name, value]) => [camel(name), value]));
    if (mail.attachments) made.attachments = mail.attachments.map((one) => attachment(job, one));
    return made;
}

async function send(job) {
    process.env.RESEND_BASE_URL = job.url;
    const { Resend } = await import(modules[job.version]);
    const client = job.version === 4 ? new Resend(job.key) : new Resend(job.key, { baseUrl: job.url });
    const [group, call] = job.call.split('.');
    const [first, ...others] = job.arguments;
    const given = Array.isArray(first) ? first.map((one) => email(job, one)) : email(job, first);
    const { data, error } = await client[group][call](given, ...others, ...(job.options ? [job.options] : []));
    return error ? { failure: error } : { value: data };
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
