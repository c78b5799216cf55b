// Sends mail with Postmark's own SDK; sdks.py runs it.
//
// A line of JSON in, one out:
//
//   {"version", "url", "key", "call", "arguments"} -> {"value"} or {"failure": {"class", "code", "status", …}}

import { createInterface } from 'node:readline';

import * as postmark4 from 'postmark';
import * as postmark5 from 'postmark5';

const versions = { 4: postmark4, 5: postmark5 };

async function send(job) {
    const { ServerClient } = versions[job.version];
    const client = new ServerClient(job.key, { useHttps: false, requestHost: job.url.replace('http://', '') });
    try {
        return { value: await client[job.call](...job.arguments) };
    } catch (error) {
        return { failure: {
            class: error.constructor.name, name: error.name, code: error.code, status: error.statusCode,
            message: error.message, recipients: error.recipients,
        } };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await send(JSON.parse(line)).catch((error) => ({ error: `${error.stack}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
