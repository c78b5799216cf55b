// Sends webhooks as the services do, signed by their own SDKs; senders.py runs it.
//
// A line of JSON in, one out, for each delivery:
//
//   {"service", "url", "secret", "payload", "id", "event", "at", "type", "cut", "times"}
//     -> {"answers": [{"status", "body"}, …]}
//
// payload: the text that is signed; at: seconds since 1970, when it is signed; cut: octets that get lost behind the
// signature; times: how often the very same request is made.

import { createInterface } from 'node:readline';

import { sign } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';

const stripe = new Stripe('sk_test_nothing');

// What each adds to a request.
const services = {
    async github({ secret, payload, id, event }) {
        return {
            'user-agent': 'GitHub-Hookshot/0000000',
            'x-github-delivery': id,
            'x-github-event': event,
            'x-hub-signature-256': await sign(secret, payload),
        };
    },
    stripe({ secret, payload, at }) {
        return { 'stripe-signature': stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: at }) };
    },
    svix({ secret, payload, id, at }) {
        return {
            'svix-id': id,
            'svix-timestamp': String(at),
            'svix-signature': new SvixWebhook(secret).sign(id, new Date(at * 1000), payload),
        };
    },
    'standard-webhooks'({ secret, payload, id, at }) {
        return {
            'webhook-id': id,
            'webhook-timestamp': String(at),
            'webhook-signature': new StandardWebhook(secret).sign(id, new Date(at * 1000), payload),
        };
    },
};

async function deliver(job) {
    const headers = { 'content-type': job.type, ...(await services[job.service](job)) };
    const signed = Buffer.from(job.payload);
    const body = signed.subarray(0, signed.length - job.cut);
    const answers = [];
    for (let n = 0; n < job.times; n++) {
        const answer = await fetch(job.url, { method: 'POST', headers, body });
        answers.push({ status: answer.status, body: await answer.text() });
    }
    return { answers };
}

for await (const line of createInterface({ input: process.stdin })) {
    const said = await deliver(JSON.parse(line)).catch((error) => ({ error: `${error}: ${error.cause ?? ''}` }));
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
