// Sends mail with nodemailer and what others wrote to let it speak with providers; sdks.py runs
// it, and says what a job is.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import { ResendTransport } from '@documenso/nodemailer-resend';
import nodemailer from 'nodemailer';
import mailgun from 'nodemailer-mailgun-transport';
import postmark from 'nodemailer-postmark-transport';
import sendgrid from 'nodemailer-sendgrid';

// nodemailer-sendgrid has no option for the base URL, but its SDK has: that copy of it which it uses.
const sgMail = createRequire(createRequire(import.meta.url).resolve('nodemailer-sendgrid'))('@sendgrid/mail');

const transports = {
    sendgrid({ url, key }) {
        const transport = sendgrid({ apiKey: key }); // sets the base URL, too
        sgMail.client.setDefaultRequest('baseUrl', `${url}/`);
        return transport;
    },
    postmark: ({ url, key }) => postmark({
        auth: { apiKey: key }, postmarkOptions: { useHttps: false, requestHost: url.replace('http://', '') },
    }),
    // Resend's has no option either; its SDK reads RESEND_BASE_URL when it is loaded.
    resend: ({ key }) => ResendTransport.makeTransport({ apiKey: key }),
    mailgun: ({ url, key, domain }) => mailgun({ auth: { api_key: key, domain }, url }),
};

async function send(job) {
    const attachments = (job.mail.attachments ?? []).map(({ base64, ...rest }) => (
        { ...rest, content: Buffer.from(base64, 'base64') }));
    try {
        return { info: await nodemailer.createTransport(transports[job.dialect](job)).sendMail({ ...job.mail, attachments }) };
    } catch (error) { // where the provider's words are, is each SDK's own
        return { refused: { message: error.message, details: error.details ?? error.response?.body } };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
