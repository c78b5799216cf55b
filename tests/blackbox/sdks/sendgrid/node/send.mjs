// Sends mail with SendGrid's own SDK; sdks.py runs it, and says what a job is.

import { createInterface } from 'node:readline';

import sgMail from '@sendgrid/mail';

const mailbox = ([name, email]) => (name ? { name, email } : { email });

function message(job) {
    const { mail } = job;
    const made = {
        to: mail.to.map(mailbox),
        from: mailbox(mail.from),
        attachments: (mail.attachments ?? []).map(({ cid, ...file }) => (cid ? {
            ...file, disposition: 'inline', [job.snake ? 'content_id' : 'contentId']: cid,
        } : { ...file, disposition: 'attachment' })),
        ...mail.more,
    };
    for (const name of ['cc', 'bcc']) if (mail[name]) made[name] = mail[name].map(mailbox);
    for (const name of ['subject', 'text', 'html', 'headers', 'categories']) if (mail[name]) made[name] = mail[name];
    if (mail.reply_to?.length === 1) made.replyTo = mailbox(mail.reply_to[0]);
    else if (mail.reply_to) made.replyToList = mail.reply_to.map(mailbox);
    if (mail.custom_args) made.customArgs = mail.custom_args;
    if (mail.send_at) made.sendAt = mail.send_at;
    if (mail.template) made.templateId = mail.template;
    if (mail.data) made.dynamicTemplateData = mail.data;
    if (mail.sandbox) made.mailSettings = { sandboxMode: { enable: true } };
    return made;
}

async function send(job) {
    // In this order: the key sets the base URL, too.
    sgMail.setApiKey(job.key);
    sgMail.client.setDefaultRequest('baseUrl', `${job.url}/`);
    try {
        const [response] = await (job.separate ? sgMail.sendMultiple(message(job)) : sgMail.send(message(job)));
        return { status: response.statusCode, id: response.headers['x-message-id'] ?? '', body: response.body };
    } catch (error) {
        if (!error.response) throw error;
        return { status: error.code, errors: error.response.body.errors, text: String(error) };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
