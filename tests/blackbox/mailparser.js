// Reads every .eml in the directory given and prints {stem: view} as JSON; see readers.py.
'use strict';

const { createHash } = require('crypto');
const { readdirSync, readFileSync } = require('fs');
const { basename, join } = require('path');
const libmime = require('libmime'); // mailparser's own, for headers that it leaves as they are
const { simpleParser } = require('mailparser');

const options = {
    skipHtmlToText: true, // only what is in the mail, nothing made up from it
    skipTextToHtml: true,
    skipImageLinks: true,
};

const addresses = (field) => (field ? field.value.map((one) => [one.name, one.address]) : []);

const part = (attachment) => ({
    filename: attachment.filename ?? null,
    type: attachment.contentType,
    disposition: attachment.contentDisposition ?? null,
    cid: attachment.cid ?? null,
    size: attachment.content.length,
    sha256: createHash('sha256').update(attachment.content).digest('hex'),
});

const headers = (all) => {
    const own = [...all].filter(([name]) => name.startsWith('x-'));
    return Object.fromEntries(own.map(([name, value]) => [name, libmime.decodeWords(value)]));
};

async function read(path) {
    const mail = await simpleParser(readFileSync(path), options);
    return {
        subject: mail.subject ?? null,
        from: addresses(mail.from),
        to: addresses(mail.to),
        cc: addresses(mail.cc),
        reply_to: addresses(mail.replyTo),
        text: mail.text ?? null,
        html: mail.html || null,
        attachments: mail.attachments.map(part),
        headers: headers(mail.headers),
    };
}

async function main(directory) {
    const views = {};
    for (const file of readdirSync(directory).filter((name) => name.endsWith('.eml'))) {
        views[basename(file, '.eml')] = await read(join(directory, file));
    }
    process.stdout.write(JSON.stringify(views));
}

main(process.argv[2]);
